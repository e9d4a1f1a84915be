"""Histories to training windows: batches of events and the events that followed, of similar length."""

from collections.abc import Iterator

import numpy as np

from palate.types import Ints, Ragged


def windows(histories: Ragged, length: int) -> Ragged:
    """Pieces of at most `length` + 1 events, cut from the newest end, each sharing one event with the next.

    Every event but the first of a history follows another one in exactly one piece.

    >>> [list(map(int, piece)) for piece in windows(Ragged.of([[1, 2, 3, 4, 5], [6]]), 2)]
    [[1, 2, 3], [3, 4, 5]]
    """
    starts: list[int] = []
    ends: list[int] = []
    for begin, end in zip(histories.offsets[:-1], histories.offsets[1:], strict=True):
        last = int(end)
        cuts = []
        while last - begin > 1:
            first = max(int(begin), last - length - 1)
            cuts.append((first, last))
            last = first + 1
        starts += [cut[0] for cut in reversed(cuts)]
        ends += [cut[1] for cut in reversed(cuts)]
    cut_from, lengths = np.array(starts, np.int64), np.array(ends, np.int64) - np.array(starts, np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    source = np.repeat(cut_from - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Ragged(histories.values[source], offsets)


def n_batches(pieces: Ragged, size: int) -> int:
    """How many batches an epoch has, at most."""
    return -(-int((pieces.lengths - 1).sum()) // size)


def batches(pieces: Ragged, size: int, rng: np.random.Generator) -> Iterator[tuple[Ints, Ints]]:
    """One epoch of (events, targets), each (B, longest) with -1 where padded on the right, about `size` targets.

    Pieces are shuffled, then sorted by length within stretches of 64 batches, so that batches are filled well and
    still differ from epoch to epoch.
    """
    order = rng.permutation(len(pieces))
    stretch = np.cumsum(pieces.lengths[order] - 1) // (64 * size)
    order = order[np.lexsort((pieces.lengths[order], stretch))]
    batch = (np.cumsum(pieces.lengths[order] - 1) - 1) // size
    groups = np.split(order, np.flatnonzero(np.diff(batch)) + 1)
    for index in rng.permutation(len(groups)):
        grid = pieces.take(groups[index]).padded()
        yield grid[:, :-1], grid[:, 1:]
