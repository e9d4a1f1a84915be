"""What accuracy does not see, by hand and within bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from palate.metrics.beyond import (
    coverage,
    diversity,
    exposure,
    gini,
    group_gap,
    miscalibration,
    novelty,
    popularity_lift,
    valid_rate,
)
from palate.types import NO_ITEM, Queries, Ragged, Slate


def shown(*lists: list[int]) -> Slate:
    width = max(map(len, lists))
    items = np.array([row + [NO_ITEM] * (width - len(row)) for row in lists], np.int32)
    return Slate(items, np.where(items == NO_ITEM, -np.inf, -np.arange(width)).astype(np.float32))


@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_gini_is_the_mean_gap_between_two_items_over_twice_the_mean(counts):
    shares = np.array(counts)
    gaps = np.abs(shares[:, None] - shares[None, :]).mean()
    expected = gaps / (2 * shares.mean()) if shares.sum() else 0.0
    assert gini(shares) == pytest.approx(expected)


def test_coverage_counts_items_shown_at_all():
    assert coverage(exposure(shown([0, 1], [1], [1, 2]), 10)) == pytest.approx(0.3)
    assert coverage(exposure(Slate.stack([], 3), 10)) == 0.0


def test_novelty_is_higher_for_rarer_items():
    counts = np.array([15, 3, 0])  # of 15 users: 0, 2 and 4 bits
    assert novelty(shown([0], [1], [2], [0, 1, 2], [0, 2]), counts, 15).tolist() == [0, 2, 4, 2, 2]


def test_novelty_and_lift_of_an_empty_list_are_nan():
    empty = shown([0], []).items[1:]
    nothing = Slate(empty, np.full(empty.shape, -np.inf, np.float32))
    assert np.isnan(novelty(nothing, np.array([1]), 1)).all()
    assert np.isnan(popularity_lift(nothing, Ragged.of([[0]]), np.array([1]))).all()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_diversity_by_hand(kind):
    vectors = kind(np.array([[2, 0], [0, 3], [1, 1], [0, 0]], np.float32))
    angle = 1 - 1 / np.sqrt(2)
    found = diversity(shown([0, 1], [0, 2], [0, 1, 2], [0, 3], [0]), vectors)
    assert found[:4] == pytest.approx([1, angle, (1 + 2 * angle) / 3, 1], abs=1e-6)
    assert np.isnan(found[4])


@given(seed=st.integers(0, 1000))
def test_diversity_is_the_mean_over_pairs(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(9, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = [rng.permutation(9)[:5].tolist() for _ in range(3)]
    pairs = [[1 - unit[a] @ unit[b] for a in row for b in row if a < b] for row in lists]
    assert diversity(shown(*lists), vectors) == pytest.approx(np.mean(pairs, axis=1), abs=1e-5)


def test_popularity_lift_is_0_for_more_of_the_same_and_nan_for_strangers():
    counts = np.array([8, 8, 2])
    found = popularity_lift(shown([0], [2], [0]), Ragged.of([[1], [1], []]), counts)
    assert found[:2].tolist() == [0, -0.75]
    assert np.isnan(found[2])


def test_miscalibration_by_hand():
    # the items are all of a, all of b, half of each, nothing
    shares = sparse.csr_matrix(np.array([[1, 0], [0, 1], [0.5, 0.5], [0, 0]]))
    a, b, half = np.log(1 / 0.01), np.log(1 / 1.0), np.log(1 / 0.505)  # a wanted: none of it, all of it, half shown
    found = miscalibration(
        shown([1, 3], [0], [0, 3], [2], [0, 1], [0]), Ragged.of([[0], [0], [0, 0], [0, 3], [0], []]), shares
    )
    assert found[:5] == pytest.approx([a, b, half, half, half], abs=1e-5)
    assert np.isnan(found[5])
    mixed = miscalibration(shown([0]), Ragged.of([[0, 0, 2]]), shares)  # 5/6 and 1/6 wanted
    expected = 5 / 6 * np.log((5 / 6) / (0.99 + 0.01 * 5 / 6)) + 1 / 6 * np.log((1 / 6) / (0.01 / 6))
    assert mixed[0] == pytest.approx(expected, abs=1e-5)


def test_miscalibration_of_nothing_shown_is_nan():
    empty = Slate(np.full((1, 2), NO_ITEM, np.int32), np.full((1, 2), -np.inf, np.float32))
    assert np.isnan(miscalibration(empty, Ragged.of([[0]]), sparse.csr_matrix(np.eye(1)))).all()


def test_valid_rate_by_hand():
    queries = Queries(
        np.array([0, 1], np.int32), Ragged.empty(2), Ragged.of([[0], []]), ("", ""), np.array([True, True, False])
    )
    assert valid_rate(shown([0, 1, 2, 7], [1, 0]), queries, 3).tolist() == [0.25, 1.0]


def test_the_group_gap_is_between_the_best_and_the_worst_group():
    gap, means = group_gap(np.array([1, 0, 0.5, 0.2, np.nan], np.float32), ["a", "a", "b", "c", "c"])
    assert gap == pytest.approx(0.3)
    assert means == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.2})
    assert group_gap(np.array([np.nan], np.float32), ["a"]) == (0.0, {})
