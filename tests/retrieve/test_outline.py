"""Scores as outlines: the same numbers as in full, their spread, and sums of them."""

import numpy as np
import pytest

from palate.retrieve.outline import Background, Outline
from palate.retrieve.scale import Scaled, standardised, z_scores
from palate.types import Ragged

BEHIND = Background(np.array([0.5, 0.0, 0.25, 1.0], np.float32))
OUTLINES = {
    "few": Outline(BEHIND, np.array([2, 1], np.float32), Ragged.of([[1, 3], [0]]), np.array([5, -3, 4], np.float32)),
    "none": Outline(BEHIND, np.array([1, 0], np.float32), Ragged.empty(2), np.zeros(0, np.float32)),
    "all": Outline(BEHIND, np.zeros(1, np.float32), Ragged.of([[3, 1, 0, 2]]), np.array([1, 2, 3, 4], np.float32)),
    "alike": Outline(BEHIND, np.zeros(1, np.float32), Ragged.of([[0, 3]]), np.zeros(2, np.float32)),
    "the highest and the lowest behind": Outline(
        BEHIND, np.array([4], np.float32), Ragged.of([[3, 1]]), np.array([1, 1], np.float32)
    ),
}
FULL = {
    "few": [[1, 5, 0.5, -3], [4, 0, 0.25, 1]],
    "none": [[0.5, 0, 0.25, 1], [0, 0, 0, 0]],
    "all": [[3, 2, 4, 1]],
    "alike": [[0, 0, 0, 0]],
    "the highest and the lowest behind": [[2, 1, 1, 1]],
}


class Told:
    """A retriever that outlines."""

    def __init__(self, outline):
        self._outline = outline

    def outline(self, queries):
        return self._outline


@pytest.mark.parametrize("name", OUTLINES)
def test_an_outline_stands_for_a_number_for_every_item(name):
    assert OUTLINES[name].dense().tolist() == FULL[name]


@pytest.mark.parametrize("name", OUTLINES)
def test_items_score_what_they_do_in_full(name):
    items = np.array([[3, 0, 1]] * len(FULL[name]), np.int32)
    assert OUTLINES[name].of(items).tolist() == np.array(FULL[name])[:, [3, 0, 1]].tolist()


@pytest.mark.parametrize("name", OUTLINES)
def test_the_spread_is_that_of_all_scores(name):
    full = np.array(FULL[name])
    mean, deviation, highest = OUTLINES[name].spread()
    assert mean == pytest.approx(full.mean(axis=1))
    assert deviation == pytest.approx(full.std(axis=1))
    assert highest.tolist() == full.max(axis=1).tolist()


@pytest.mark.parametrize("name", OUTLINES)
def test_a_weighted_sum_of_outlines_is_that_of_their_z_scores(name):
    full = np.array(FULL[name], np.float32)
    scaled = z_scores(Told(OUTLINES[name]), None)
    weights = np.array([0.5, 2.0])[: len(full)]
    total = np.ones_like(full)
    scaled.add(weights, total)
    total += (weights * scaled.shifts)[:, None].astype(np.float32)
    assert total == pytest.approx(1 + weights[:, None] * standardised(full), abs=1e-6)
    assert scaled.best[:, 0] == pytest.approx(standardised(full).max(axis=1), abs=1e-6)


def test_scores_in_full_are_scaled_as_outlined_ones_are():
    outline = OUTLINES["few"]
    mean, deviation, highest = outline.spread()
    whole = Scaled(outline.dense(), 1 / deviation, -mean / deviation, highest)
    items = np.array([[2, 1], [0, 3]], np.int32)
    assert whole.of(items) == pytest.approx(z_scores(Told(outline), None).of(items))
