"""Histories to training windows and batches."""

from itertools import pairwise

import numpy as np

from palate.train.windows import batches, n_batches, windows
from palate.types import Ragged


def pairs(pieces):
    """Every (event, next event) of the pieces, sorted."""
    return sorted((int(a), int(b)) for piece in pieces for a, b in pairwise(piece))


def test_every_event_follows_its_predecessor_in_exactly_one_piece():
    histories = Ragged.of([list(range(10)), [20], [], [30, 31], [40, 41, 42, 43]])
    pieces = windows(histories, 3)
    assert pairs(pieces) == pairs(histories)
    assert pieces.lengths.max() == 4


def test_the_newest_events_stand_in_a_full_piece():
    assert [list(piece) for piece in windows(Ragged.of([range(6)]), 3)] == [[0, 1, 2], [2, 3, 4, 5]]


def test_an_epoch_has_every_pair_once_in_batches_of_about_the_size():
    rng = np.random.default_rng(0)
    pieces = windows(Ragged.of([rng.integers(0, 99, n) for n in rng.integers(0, 30, 200)]), 12)
    found, sizes = [], []
    for events, targets in batches(pieces, 64, rng):
        real = targets >= 0
        assert (events[real] >= 0).all()
        found += zip(events[real].tolist(), targets[real].tolist(), strict=True)
        sizes.append(int(real.sum()))
    assert sorted(found) == pairs(pieces)
    assert len(sizes) == n_batches(pieces, 64)
    assert max(sizes) < 64 + 12


def test_epochs_differ():
    pieces = windows(Ragged.of([[i, i + 1] for i in range(100)]), 5)
    rng = np.random.default_rng(0)
    first, second = (next(batches(pieces, 10, rng))[0].ravel().tolist() for _ in range(2))
    assert first != second
