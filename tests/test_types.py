import numpy as np
import pytest

from palate.errors import ContractError
from palate.types import NO_ITEM, Queries, Ragged, Slate


def slate(items, scores):
    return Slate(np.array(items, np.int32), np.array(scores, np.float32))


def test_ragged_rows_keep_their_values_when_taken_in_another_order():
    rows = Ragged.of([[3, 1], [], [2, 5, 4]])
    assert [list(row) for row in rows.take(np.array([2, 0, 2]))] == [[2, 5, 4], [3, 1], [2, 5, 4]]


def test_ages_count_from_the_newest():
    rows = Ragged.of([[3, 1], [], [2, 5, 4]])
    assert rows.ages.tolist() == [1, 0, 2, 1, 0]
    assert [list(row) for row in rows.last(2)] == [[3, 1], [], [5, 4]]


def test_an_empty_ragged_has_rows_without_values():
    assert [list(row) for row in Ragged.empty(2)] == [[], []]
    assert len(Ragged.of([])) == 0


@pytest.mark.parametrize(
    ("items", "scores", "complaint"),
    [
        pytest.param([[1, 2]], [[1.0, 2.0]], "rise", id="rising-scores"),
        pytest.param([[1, 1]], [[2.0, 1.0]], "twice", id="repeated-item"),
        pytest.param([[NO_ITEM, 1]], [[2.0, 1.0]], "right", id="padding-left"),
        pytest.param([[1, 2]], [[2.0, np.nan]], "nan", id="nan"),
        pytest.param([[1, 2]], [[2.0]], "one", id="shapes"),
    ],
)
def test_a_broken_slate_cannot_be_made(items, scores, complaint):
    with pytest.raises(ContractError, match=complaint):
        slate(items, scores)


def test_best_leaves_out_padding_and_keeps_the_given_order_among_ties():
    best = Slate.best(np.array([[4, NO_ITEM, 7, 2]], np.int32), np.array([[1, 9, 2, 1]], np.float32), 4)
    assert best.items.tolist() == [[7, 4, 2, NO_ITEM]]


def test_stacked_slates_are_padded_to_one_width():
    stacked = Slate.stack([slate([[1]], [[1.0]]), slate([[2, 3]], [[2.0, 1.0]])], 3)
    assert stacked.items.tolist() == [[1, NO_ITEM, NO_ITEM], [2, 3, NO_ITEM]]


def test_queries_of_different_lengths_are_refused():
    with pytest.raises(ContractError, match="differ in length"):
        Queries(np.zeros(2, np.int32), Ragged.empty(2), Ragged.empty(1), ("", ""))
