"""Whose lists of each version were liked: for telling, while it serves, that a version is merely worse than another."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.evaluation.sequential import difference
from palate.serve.aliases import Aliases

MOST = 50_000  # people of a version who are remembered, and lists that wait
GROWTH = 1.01  # a version is judged again when so many times as many people tell of it


@dataclass(frozen=True, slots=True)
class Trial:
    """A version that is judged beside another; share: of the people, who are drawn by chance, that a canary answers,
    None for one that was forced and answers everybody."""

    version: str
    other: str
    share: float | None = None


@dataclass(slots=True)
class _Open:
    at: float
    items: tuple[str, ...]
    liked: bool = False


class Record:
    """One list of each person and whether it was liked: their first (`first`), or their latest one.

    A list is open for `like_s`, then what became of it no longer changes.
    """

    def __init__(self, like_s: float, *, first: bool = False) -> None:
        self.first = first
        self._like_s = like_s
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._done: dict[str, bool] = {}  # in their order; half the size of an ordered one

    @property
    def full(self) -> bool:
        """Whether another person would take the place of the oldest."""
        return len(self._done) >= MOST

    def shown(self, user_id: str, items: tuple[str, ...], at: float) -> None:
        self.settle(at)
        known = user_id in self._done or self.full
        if user_id not in self._open and len(self._open) < MOST and not (self.first and known):
            self._open[user_id] = _Open(at, items)

    def liked(self, user_id: str, item_id: str, at: float) -> None:
        self.settle(at)
        if (one := self._open.get(user_id)) and item_id in one.items:
            one.liked = True

    def erase(self, user_id: str) -> None:
        self._open.pop(user_id, None)
        self._done.pop(user_id, None)

    def settle(self, now: float) -> int:
        """How many people's lists are known to be liked or not by now."""
        while self._open and next(iter(self._open.values())).at <= now - self._like_s:
            user_id, one = self._open.popitem(last=False)
            self._done.pop(user_id, None)
            if self.full:
                del self._done[next(iter(self._done))]
            self._done[user_id] = one.liked
        return len(self._done)

    def outcomes(self) -> NDArray[np.float64]:
        """(N,) 1 for a person whose list was liked, else 0, in the order in which they were shown."""
        return np.fromiter(self._done.values(), np.float64, len(self._done))


class Likes:
    """How many people liked something of the list that a version showed them, compared while it serves.

    A canary's people are compared with the live version's since the canary began: who is whose is drawn by chance. A
    forced version, which answers everybody, is compared for `probation_h` with the one before: its first people with
    as many who came last before, since who comes often comes early, seen from the promotion either way. That is no
    experiment: an hour of the day may be all the difference, so that more than `drift` of the share must be lost.
    Counted are people, not lists, as an always-valid interval needs numbers that do not hang together.

    It has no clock: times are seconds on any clock that does not go back. May be fed from several threads.
    """

    def __init__(self, like_s: float, probation_h: float, drift: float) -> None:
        self._like_s, self._probation_s, self._drift = like_s, probation_h * 3600, drift
        self._records: dict[str, Record] = {}
        self._trial: Trial | None = None
        self._start, self._judged = 0.0, 0
        self._turn = threading.Lock()
        self.serial = -1

    def shown(self, version: str, user_id: str, items: Sequence[str], at: float) -> None:
        """Tell of one list; those of versions that have no part in the aliases do not count."""
        with self._turn:
            if record := self._records.get(version):
                record.shown(user_id, tuple(items), at)

    def liked(self, user_id: str, item_id: str, at: float) -> None:
        """Tell that someone liked an item, wherever they saw it."""
        with self._turn:
            for record in self._records.values():
                record.liked(user_id, item_id, at)

    def erase(self, user_id: str) -> None:
        """Know nothing of someone."""
        with self._turn:
            for record in self._records.values():
                record.erase(user_id)

    def follow(self, aliases: Aliases, forced: bool, now: float) -> None:
        """Count for these from now on; forced: whether the live one is so over an objection of the gate."""
        live, canary, previous = aliases.live, aliases.canary, aliases.previous
        trial = Trial(canary.version, live, canary.share) if canary and live else None
        if trial is None and live and previous and forced:
            trial = Trial(live, previous)
        with self._turn:
            self.serial = aliases.serial
            named = {one for one in (live, previous, canary and canary.version) if one}
            self._records = {one: self._records.get(one) or Record(self._like_s) for one in named}
            if trial == self._trial:
                return
            self._trial, self._start, self._judged = trial, now, 0
            on_trial = (trial.version, trial.other) if trial else ()
            for name, record in list(self._records.items()):
                again = trial is not None and (name == trial.version or trial.share is not None or record.first)
                if name in on_trial and again:  # who was tried beside another is no yardstick for the next one
                    self._records[name] = Record(self._like_s)
                self._records[name].first = name in on_trial

    def worse(self, now: float) -> str:
        """Why the version on trial is worse, in a sentence; "" where it is not, or too little is known.

        It is where the always-valid 95 % interval of the difference in the share of people who liked something lies
        below 0, or below the `drift` of the other's share where nobody was drawn by chance.
        """
        with self._turn:
            trial = self._trial
            if trial is None:
                return ""
            mine, others = self._records[trial.version], self._records[trial.other]
            if trial.share is None and now - self._start > self._probation_s:
                mine.first = False  # it is what the next one is compared with
                return ""
            n, n_others = mine.settle(now), others.settle(now)
            if trial.share is not None and (mine.full or others.full):
                return ""  # what comes from now on was not seen of both
            if not n or not n_others or n < self._judged * GROWTH:
                return ""
            self._judged = n
            treated, control = mine.outcomes(), others.outcomes()
        if trial.share is None:
            both = min(n, n_others)
            treated, control = treated[:both], control[-both:]
        return self._sentence(trial, treated, control)

    def _sentence(self, trial: Trial, treated: NDArray[np.float64], control: NDArray[np.float64]) -> str:
        allowed = self._drift * float(control.mean()) if trial.share is None else 0.0
        found, _ = difference(treated, control)
        if not found.high < -allowed:
            return ""
        beside = "the last to come before it" if trial.share is None else "the others, drawn by chance"
        return (
            f"{treated.mean():.1%} of {len(treated)} people liked something of their list of {trial.version} within "
            f"{self._like_s:g} s, {control.mean():.1%} of {len(control)} of {trial.other}, {beside}: difference "
            f"{found}, a 95 % interval at any time; {-allowed:.3f} is allowed"
        )
