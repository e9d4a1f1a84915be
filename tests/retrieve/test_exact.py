"""The largest products: the same lists as from all products, whatever the lengths, ties, seen and eligible items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.retrieve import exact
from palate.retrieve.exact import LongestFirst
from palate.retrieve.top import best
from palate.types import NO_ITEM
from retrieve.fakes import asking


@pytest.fixture(autouse=True, scope="module")
def small_tiles():
    """Tiles of 4 items and blocks of 3 requests, so that small catalogues have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "TILE", 4)
        patch.setattr(exact, "ROWS", 3)
        yield


small = st.integers(-2, 2)  # products of small whole numbers are exact, so that ties are ties


@st.composite
def problems(draw):
    n_items, n_requests = draw(st.integers(1, 70)), draw(st.integers(0, 7))
    vectors = draw(st.lists(st.lists(small, min_size=3, max_size=3), min_size=n_items, max_size=n_items))
    asked = draw(st.lists(st.lists(small, min_size=3, max_size=3), min_size=n_requests, max_size=n_requests))
    row = st.lists(st.integers(0, n_items - 1), max_size=12)
    seen = draw(st.lists(row, min_size=n_requests, max_size=n_requests))
    eligible = draw(st.none() | st.lists(st.booleans(), min_size=n_items, max_size=n_items))
    scale = draw(st.lists(st.sampled_from([0, 1, 2, 16]), min_size=n_items, max_size=n_items))
    queries = asking(*[[]] * n_requests, seen=seen, eligible=None if eligible is None else np.array(eligible))
    vectors = np.array(vectors, np.float32) * np.array(scale, np.float32)[:, None]
    return vectors, np.array(asked, np.float32).reshape(-1, 3), queries, draw(st.integers(1, 12))


@given(problems())
def test_the_lists_are_those_of_all_products(problem):
    vectors, asked, queries, k = problem
    found = LongestFirst.of(vectors).best(asked, queries, k)
    expected = best(asked @ vectors.T, queries, k)
    assert (found.items == expected.items).all()
    assert (found.scores == expected.scores).all()


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_real_numbers_give_the_lists_of_all_products_in_any_order_of_requests(spread):
    rng = np.random.default_rng(1)
    vectors = (rng.normal(size=(500, 6)) * np.exp(spread * rng.normal(size=(500, 1)))).astype(np.float32)
    asked = rng.normal(size=(40, 6)).astype(np.float32)
    queries = asking(*[[]] * 40, seen=rng.integers(0, 500, (40, 30)).tolist())
    expected = best(asked @ vectors.T, queries, 10)
    index, order = LongestFirst.of(vectors), rng.permutation(40)
    found = index.best(asked, queries, 10)
    assert (found.items == expected.items).all()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    assert (index.best(asked[order], queries.take(order), 10).items == found.items[order]).all()


def test_a_request_is_done_when_no_item_left_is_long_enough():
    vectors = np.array([[0.5], [8], [0.1], [4], [2], [1]] + [[0.01]] * 30, np.float32)
    index = LongestFirst.of(vectors)
    index.vectors[24:] = np.inf  # the second tile, for k = 3: compared with, these would come first
    found = index.best(np.array([[1.0]], np.float32), asking([]), 3)
    assert found.items.tolist() == [[1, 3, 4]]
    assert found.scores.tolist() == [[8, 4, 2]]


def test_vectors_of_one_length_are_neither_moved_nor_copied():
    angle = np.arange(100, dtype=np.float32)
    vectors = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert LongestFirst.of(vectors).vectors is vectors


def test_a_request_that_asks_for_nothing_gets_the_first_rows():
    vectors = np.array([[1], [3], [2]], np.float32)
    found = LongestFirst.of(vectors).best(np.zeros((1, 1), np.float32), asking([], seen=[[0]]), 3)
    assert found.items.tolist() == [[1, 2, NO_ITEM]]


def test_requests_are_turned_to_vectors_in_bounded_blocks():
    sizes = []

    def asked(queries):
        sizes.append(len(queries))
        return np.ones((len(queries), 1), np.float32)

    found = LongestFirst.of(np.array([[1], [2]], np.float32)).retrieve(asked, asking(*[[]] * 8), 1)
    assert found.items.tolist() == [[1]] * 8
    assert sizes == [3, 3, 2]
