"""EASE by hand: Xᵀ X = [[2, 2, 0], [2, 3, 1], [0, 1, 1]] and lambda 1 give an inverse over the determinant 13."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.errors import ConfigError
from palate.retrieve.ease import EASE, EASEConfig
from retrieve.fakes import asking, catalogue, dataset

LIKES = dataset([[0, 1], [0, 1], [1, 2]], 3)
WEIGHTS = np.array([[0, 4 / 6, -2 / 8], [4 / 7, 0, 3 / 8], [-2 / 7, 3 / 6, 0]])


def test_weights_match_hand_arithmetic(runtime):
    ease = EASE(EASEConfig(regularisation=1.0)).fit(LIKES, runtime)
    assert ease.weights_ == pytest.approx(WEIGHTS, abs=1e-6)


def test_scores_are_sums_of_decayed_weights(runtime):
    ease = EASE(EASEConfig(regularisation=1.0, decay=0.5, last=2)).fit(LIKES, runtime)
    assert ease.scores(asking([1, 0, 2]))[0] == pytest.approx(0.5 * WEIGHTS[0] + WEIGHTS[2], abs=1e-6)


def test_each_item_is_the_ridge_regression_on_the_others(runtime):
    data = checkerboard(seed=3)
    likes = data.matrix().toarray().astype(np.float64)
    weights = EASE(EASEConfig(regularisation=7.0)).fit(data, runtime).weights_
    for item in range(data.n_items):
        others = np.delete(np.arange(data.n_items), item)
        x = likes[:, others]
        ridge = np.linalg.solve(x.T @ x + 7.0 * np.eye(len(others)), x.T @ likes[:, item])
        np.testing.assert_allclose(weights[others, item], ridge, atol=1e-5)


@pytest.mark.parametrize(("weight", "max_items"), [(1.0, 20), (2.5, 20), (2.5, 9)])
def test_a_value_counts_as_people_who_like_every_item_that_has_it(weight, max_items, runtime):
    data = checkerboard(seed=3)
    tags = tuple(", ".join(["odd"] * (item % 2) + ["third"] * (item % 3 == 0)) for item in range(20))
    data = replace(data, items=catalogue(20, tags=tags))
    ease = EASE(EASEConfig(regularisation=7.0, attributes=weight, max_items=max_items)).fit(data, runtime)
    odd, third = np.arange(20) % 2 == 1, np.arange(20) % 3 == 0
    told = np.vstack([data.matrix().toarray(), np.sqrt(weight) * odd, np.sqrt(weight) * third])[:, ease.items_]
    inverse = np.linalg.inv(told.T @ told + 7.0 * np.eye(max_items))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(ease.weights_, expected, atol=1e-5)


def test_items_that_nobody_liked_are_reached_by_what_they_share(runtime):
    board = checkerboard()  # 18 is science fiction like 0, 19 romance like 1
    for attributes, order in ((0.0, [0, 0]), (3.0, [1, -1])):
        ease = EASE(EASEConfig(attributes=attributes)).fit(board, runtime)
        scores = ease.scores(asking([0], [1]))
        assert np.sign(scores[:, 18] - scores[:, 19]).tolist() == order


def test_only_the_most_liked_items_are_learned(runtime):
    ease = EASE(EASEConfig(regularisation=1.0, max_items=2)).fit(LIKES, runtime)
    assert ease.items_.tolist() == [0, 1]  # liked by 2 and 3
    assert ease.scores(asking([0], [2])) == pytest.approx(np.array([[0, 2 / 3, 0], [0, 0, 0]]))


def test_a_regularisation_too_small_for_float32_is_refused(runtime):
    twins = dataset([[0, 1]] * 100, 2)
    with pytest.raises(ConfigError, match="regularisation"):
        EASE(EASEConfig(regularisation=1e-6)).fit(twins, runtime)
