import numpy as np
import pytest

from palate.errors import ContractError
from palate.types import NO_ITEM, Queries, Ragged, Signals, Slate


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


def signals(values, names=("A: score", "all", "A: place")):
    return Signals(names, np.array(values, np.float32))


def test_signals_go_with_their_lists():
    told = Slate(np.array([[5], [4]], np.int32), np.ones((2, 1), np.float32), signals([[[1, 2, 3]], [[4, 5, 6]]]))
    assert told.take(np.array([1])).signals.values.tolist() == [[[4, 5, 6]]]
    stacked = Slate.stack([told, told.take(np.array([0]))], 2)
    assert stacked.signals.names == told.signals.names
    assert stacked.signals.values.tolist() == [[[n, n + 1, n + 2], [0, 0, 0]] for n in (1, 4, 1)]
    assert Slate.stack([told, slate([[7]], [[1.0]])], 1).signals is None


def test_signals_follow_items_to_another_order():
    told = signals([[[1, 0, 0], [2, 0, 0], [0, 0, 0], [0, 0, 0]]])
    there = told.of(np.array([[7, 3, NO_ITEM, NO_ITEM]]), np.array([[3, 7, NO_ITEM, NO_ITEM]]))
    assert there.values[0, :, 0].tolist() == [2, 1, 0, 0]


def test_what_one_part_tells_is_summed():
    summed = signals([[[1, 2, 3], [4, 5, 6]]]).by_part()
    assert summed.names == ("A", "all")
    assert summed.values.tolist() == [[[4, 2], [10, 5]]]


def test_signals_of_another_shape_are_refused():
    with pytest.raises(ContractError, match="3 names"):
        signals([[[1, 2]]])
    with pytest.raises(ContractError, match=r"\(1, 1, 3\)"):
        Slate(np.array([[1, 2]], np.int32), np.array([[2, 1]], np.float32), signals([[[1, 2, 3]]]))


def test_queries_of_different_lengths_are_refused():
    with pytest.raises(ContractError, match="differ in length"):
        Queries(np.zeros(2, np.int32), Ragged.empty(2), Ragged.empty(1), ("", ""))
