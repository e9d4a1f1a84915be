"""The best of scores: ties, what was seen, what is not eligible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.retrieve import top
from palate.retrieve.top import best, kth_largest, largest, product, retrieve_in_blocks
from palate.types import NO_ITEM
from retrieve.fakes import asking


def test_the_best_come_first_and_ties_go_to_the_lower_row():
    slate = best(np.array([[1, 5, 3, 5, 0]], np.float32), asking([]), 3)
    assert slate.items.tolist() == [[1, 3, 2]]
    assert slate.scores.tolist() == [[5, 5, 3]]


def test_seen_and_ineligible_items_leave_padding_behind():
    eligible = np.array([True, True, False, True])
    queries = asking([], [], seen=[[0, 1], [3]], eligible=eligible)
    slate = best(np.array([[4, 3, 2, 1], [4, 3, 2, 1]], np.float32), queries, 3)
    assert slate.items.tolist() == [[3, NO_ITEM, NO_ITEM], [0, 1, NO_ITEM]]


def test_the_scores_given_are_not_touched():
    scores = np.array([[2, 1]], np.float32)
    best(scores, asking([], seen=[[0]]), 1)
    assert scores.tolist() == [[2, 1]]


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(1, 8))
def test_the_largest_are_those_of_a_stable_sort(rows, k):
    scores = np.array(rows, np.float32)
    expected = np.sort(np.argsort(-scores, axis=1, kind="stable")[:, :k], axis=1)
    assert (np.nonzero(largest(scores, k))[1].reshape(expected.shape) == expected).all()


def test_requests_are_scored_in_bounded_blocks():
    sizes = []

    def scores(queries):
        sizes.append(len(queries))
        return np.tile(np.array([1, 2], np.float32), (len(queries), 1))

    slate = retrieve_in_blocks(scores, asking(*[[]] * 300), 5)
    assert slate.items.tolist() == [[1, 0]] * 300
    assert sum(sizes) == 300
    assert max(sizes) <= 128


def test_one_row_is_multiplied_as_among_others():
    rng = np.random.default_rng(0)
    rows, matrix = rng.normal(size=(3, 8)).astype(np.float32), rng.normal(size=(8, 400)).astype(np.float32)
    assert product(rows[:1], matrix) == pytest.approx(rows[:1] @ matrix, abs=1e-5)
    assert product(rows[:0], matrix).shape == (0, 400)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([2, 30, 10_000]))
def test_the_largest_of_a_wide_catalogue_are_those_of_a_stable_sort(seed, k, distinct):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, distinct, (4, 400)).astype(np.float32)
    scores[rng.random(scores.shape) < rng.random()] = -np.inf
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    assert (np.nonzero(largest(scores, k))[1].reshape(-1, k) == np.sort(expected, axis=1)).all()
    assert (kth_largest(scores, k)[:, 0] == np.take_along_axis(scores, expected, axis=1)[:, -1]).all()


def test_scores_are_gone_through_a_few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(top, "CELLS", 10)
    scores = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    queries = asking(*[[]] * 7, seen=[[row % 4] for row in range(7)])
    assert [len(scores[rows]) for rows in top.few_rows(*scores.shape)] == [2, 2, 2, 1]
    scores[np.arange(7), np.arange(7) % 4] = 100
    hidden = np.where(np.arange(4) == np.arange(7)[:, None] % 4, -np.inf, scores)
    assert (best(scores, queries, 3).items == np.argsort(-hidden, axis=1)[:, :3]).all()
