"""A test to sentences with numbers: what may be concluded, what not yet, and what makes the numbers doubtful."""

from collections.abc import Iterable, Mapping, Sequence

from palate.evaluation.ab.arms import MISMATCH
from palate.evaluation.ab.result import Arm, Difference, Interleaved
from palate.evaluation.compare import Interval
from palate.evaluation.conclusions import probability

CROSSED = 0.01  # the share of users in several arms from which their leaving is warned of


def conclude(
    arms: Sequence[Arm], mismatch: float, differences: Sequence[Difference], interleaved: Interleaved | None
) -> tuple[str, ...]:
    """What a reader may take home."""
    if mismatch < MISMATCH:
        return (
            f"Nothing is concluded: there are {_counts(arms)} users, where shares of "
            f"{' and '.join(f'{arm.share:g}' for arm in arms)} were planned ({probability(mismatch)}). "
            "Users or logs of an arm get lost; find out where before believing any number.",
        )
    sentences = list(dict.fromkeys(_of_arms(one, arms) for one in differences))
    return (*sentences, *(_of_rankers(one) for one in [interleaved] if one is not None))


def warn(arms: Sequence[Arm], counts: Mapping[str, int]) -> tuple[str, ...]:
    """What a reader must know before believing a number."""
    found = []
    crossed, users = counts["users in more than one arm"], sum(arm.users for arm in arms)
    if crossed > CROSSED * (crossed + users):
        found.append(
            f"{crossed} of {crossed + users} users were in more than one arm and are left out: assignment is not "
            "stable, or people share accounts, and who is left may differ between arms."
        )
    if not counts["events that belong to a list"]:
        found.append("No event belongs to a list: see that user and item ids and the clocks of both logs agree.")
    return tuple(found)


def signed(difference: Interval) -> str:
    """A difference with its sign and bounds, fine enough for shares of users.

    >>> signed(Interval(.00312, .0018, .00441, 100))
    '+0.0031 [0.0018, 0.0044]'
    """
    return f"{difference.mean:+.4f} [{difference.low:.4f}, {difference.high:.4f}]"


def _of_arms(one: Difference, arms: Iterable[Arm]) -> str:
    numbers = f"{one.metric} {signed(one.difference)} ({probability(one.p_holm)} after Holm)"
    if one.verdict == "not concluded":
        settled = _counts([arm for arm in arms if arm.name in (one.arm, one.control)], settled=True)
        return f"Nothing is concluded of {one.arm} against {one.control} yet: {settled} settled users are too few."
    if one.verdict == "no difference shown":
        return f"No difference between {one.arm} and {one.control} is shown yet: {numbers}."
    return f"{one.arm} is {one.verdict} {'of' if one.verdict == 'ahead' else ''} {one.control}: {numbers}.".replace(
        "  ", " "
    )


def _of_rankers(one: Interleaved) -> str:
    told = one.preference
    if one.verdict == "not concluded":
        return (
            f"Nothing is concluded of {one.second} against {one.first} yet: {told.score.n} settled users are too few."
        )
    numbers = f"score {signed(told.score)} ({probability(told.p)})"
    people = f"{told.prefer_b} people prefer {one.second}, {told.prefer_a} prefer {one.first}, {told.undecided} neither"
    if one.verdict == "no difference shown":
        return f"No preference between {one.second} and {one.first} is shown yet: {numbers}; {people}."
    better, worse = (one.second, one.first) if one.verdict == "ahead" else (one.first, one.second)
    return f"{better} is preferred to {worse}: {numbers}; {people}."


def _counts(arms: Sequence[Arm], *, settled: bool = False) -> str:
    return " and ".join(f"{arm.settled if settled else arm.users:,} {arm.name}" for arm in arms)
