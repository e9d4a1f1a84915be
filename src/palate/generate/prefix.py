"""Token sequences to groups that begin alike, so that a network reads what they share once."""

from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 16  # shared tokens that are worth a pass of their own


@dataclass(frozen=True, slots=True)
class Group:
    """Sequences with the same first `shared` tokens; 0 where they have nothing worth sharing.

    rows: their places among all sequences.
    """

    rows: tuple[int, ...]
    shared: int


def grouped(sequences: Sequence[Sequence[int]], kept: Sequence[int]) -> list[Group]:
    """Every sequence in one group; what is shared is at least half of each member of a group.

    kept: (N,) how many tokens at the end of a sequence may not be shared, since something is asked of them; at least 1.

    >>> grouped([[*range(20), 7], [5, 6], [*range(20), 8, 9]], kept=[1, 1, 1])
    [Group(rows=(0, 2), shared=20), Group(rows=(1,), shared=0)]
    """
    order = sorted(range(len(sequences)), key=lambda row: list(sequences[row]))
    found: list[Group] = []
    alone: list[int] = []
    start = 0
    while start < len(order):
        stop, shared = _run(sequences, kept, order, start)
        if stop - start > 1:
            found.append(Group(tuple(order[start:stop]), shared))
        else:
            alone.append(order[start])
        start = stop
    return [*found, Group(tuple(sorted(alone)), 0)] if alone else found


def _run(sequences: Sequence[Sequence[int]], kept: Sequence[int], order: Sequence[int], start: int) -> tuple[int, int]:
    """Where the group that begins at `start` ends, and what it shares."""
    first = sequences[order[start]]
    shared, longest, stop = len(first) - kept[order[start]], len(first), start + 1
    while stop < len(order):
        row = order[stop]
        common = min(shared, _common(first, sequences[row]), len(sequences[row]) - kept[row])
        longest = max(longest, len(sequences[row]))
        if common < LEAST or 2 * common < longest:
            break
        shared, stop = common, stop + 1
    return stop, shared


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
