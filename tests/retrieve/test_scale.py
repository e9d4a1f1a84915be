"""Scores of different retrievers on one scale."""

import numpy as np
import pytest
from scipy.stats import rankdata, zscore

from palate.retrieve.scale import reciprocal_ranks, standardised

SCORES = np.random.default_rng(0).integers(0, 40, size=(5, 60)).astype(np.float32)


def test_standardised_rows_are_z_scores():
    np.testing.assert_allclose(standardised(SCORES), zscore(SCORES, axis=1), atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
@pytest.mark.parametrize("scale", [standardised, lambda scores: reciprocal_ranks(scores, 60.0)])
def test_a_row_of_equal_scores_says_nothing(scale, value):
    assert not scale(np.full((1, 1001), value, np.float32)).any()


def test_reciprocal_ranks_share_the_better_rank_and_skip_the_lowest_score():
    expected = 1 / (60 + rankdata(-SCORES, method="min", axis=1))
    expected[SCORES.min(axis=1, keepdims=True) == SCORES] = 0
    np.testing.assert_allclose(reciprocal_ranks(SCORES, 60.0), expected, atol=1e-7)


def test_places_beyond_the_thousandth_earn_nothing():
    scores = np.arange(1200, dtype=np.float32)[None]
    found = reciprocal_ranks(scores, 60.0)[0]
    assert np.flatnonzero(found).tolist() == list(range(200, 1200))
    assert found[[1199, 200]] == pytest.approx([1 / 61, 1 / 1060])
