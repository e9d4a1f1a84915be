"""Trees as tables: what LightGBM itself says, to the bit."""

import lightgbm
import numpy as np
import pytest

from palate.rank.forest import Forest


def grown(leaves, seed, trees=20, features=5):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(400, features)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1])  # values that stand on thresholds' sides in crowds
    target = rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2])
    options = {"num_leaves": leaves, "min_data_in_leaf": 2, "verbosity": -1, "num_threads": 1, "seed": seed}
    return lightgbm.train(options, lightgbm.Dataset(rows, target), trees), rows


@pytest.mark.parametrize("leaves", [2, 7, 8, 9, 16, 31, 64])
def test_the_same_as_lightgbm_to_the_bit(leaves):
    booster, rows = grown(leaves, 0)
    asked = np.vstack([rows, np.random.default_rng(1).normal(size=(200, 5)).astype(np.float32) * 3])
    (found,) = Forest.of([booster.dump_model()]).predict(asked)
    assert np.array_equal(found, booster.predict(asked, num_threads=1))
    assert len(np.unique(found)) > 1


def test_a_value_at_the_threshold_goes_left():
    tree = {"split_feature": 0, "threshold": 2.0, "left_child": {"leaf_value": 1.0}, "right_child": {"leaf_value": 5.0}}
    forest = Forest.of([{"max_feature_idx": 0, "tree_info": [{"tree_structure": tree}]}])
    (found,) = forest.predict(np.array([[1.0], [2.0], [2.5]], np.float32))
    assert found.tolist() == [1.0, 1.0, 5.0]


def test_boosters_of_different_size_are_summed_apart():
    first, second = grown(7, 0, trees=3)[0], grown(31, 1, trees=11)[0]
    rows = grown(7, 2)[1]
    found = Forest.of([first.dump_model(), second.dump_model()]).predict(rows)
    for own, booster in zip(found, (first, second), strict=True):
        assert np.array_equal(own, booster.predict(rows, num_threads=1))


def test_trees_that_never_split_add_their_only_leaf():
    alone = {"max_feature_idx": 1, "tree_info": [{"tree_structure": {"leaf_value": 0.25}}] * 2}
    (found,) = Forest.of([alone]).predict(np.zeros((3, 2), np.float32))
    assert found.tolist() == [0.5, 0.5, 0.5]


def test_no_rows_are_no_scores():
    (found,) = Forest.of([grown(7, 0)[0].dump_model()]).predict(np.zeros((0, 5), np.float32))
    assert len(found) == 0
