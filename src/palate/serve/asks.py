"""What is asked of a version and what it answers, in outside ids: values that wait in queues and stand in caches."""

from dataclasses import dataclass

FAILED = "personal_failed"  # of a listing that everybody is given, as the version could not make this person's


@dataclass(frozen=True, slots=True)
class Ask:
    """One list that is asked for.

    user_id: whose; None is a stranger. history: what a stranger liked, oldest first.
    personal: without it nothing is read of the user, and the list is everybody's, or the text's.
    candidates: only these are put in order, whether seen or not.
    allow, deny, where: what may be shown (see `palate.guard.rules.eligible`); where: attribute and permitted values.
    """

    k: int = 10
    user_id: str | None = None
    text: str = ""
    history: tuple[str, ...] = ()
    personal: bool = True
    explain: bool = False
    include_seen: bool = False
    candidates: tuple[str, ...] | None = None
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """One item of a list.

    new: known by its text alone. team: the version that placed it, where a list is of two, else "".
    """

    item_id: str
    title: str
    score: float
    reasons: tuple[str, ...] = ()
    new: bool = False
    team: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """The answer to one Ask.

    basis: what it rests on: "history", "text", "history+text" or "popularity".
    degraded: what was left out for want of time, or FAILED; () for the whole answer.
    timings: milliseconds by stage, of all that was answered together.
    """

    version: str
    items: tuple[Shown, ...]
    basis: str
    degraded: tuple[str, ...] = ()
    timings: tuple[tuple[str, float], ...] = ()

    @property
    def says_nothing(self) -> bool:
        """Whether it is empty, or holds several items that all have one score."""
        scores = [one.score for one in self.items]
        return not scores or (len(scores) > 1 and min(scores) == max(scores))
