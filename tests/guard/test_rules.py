import numpy as np
import pytest

from palate.errors import ConfigError, UnknownIdError
from palate.guard.rules import Rules, eligible
from palate.types import NO_ITEM, Queries, Ragged, Slate


def test_allow_deny_and_attributes_narrow_each_other(board):
    mask = eligible(board.items, allow=["i0", "i1", "i2", "i4"], deny=["i2"], where={"shelf": "A"})
    assert np.flatnonzero(mask).tolist() == [0, 4]


def test_one_of_several_attribute_values_is_enough(board):
    assert eligible(board.items, where={"shelf": ["A", "B"]}).all()


def test_unknown_ids_and_attributes_are_named(board):
    with pytest.raises(UnknownIdError, match='"nope"'):
        eligible(board.items, deny=["nope"])
    with pytest.raises(ConfigError, match=r"where.colour.*shelf"):
        eligible(board.items, where={"colour": "red"})


def verdict(seen, permitted, items):
    n = len(items)
    queries = Queries(np.zeros(n, np.int32), Ragged.empty(n), Ragged.of(seen), ("",) * n, permitted)
    slate = Slate(np.array(items, np.int32), np.zeros((n, len(items[0])), np.float32))
    return Rules().check(queries, slate)


def test_what_one_user_saw_is_kept_for_another():
    found = verdict([[3], []], None, [[3, 1], [3, 1]])
    assert found.keep.tolist() == [[False, True], [True, True]]


def test_padding_is_neither_kept_nor_counted():
    found = verdict([[1]], np.array([False, True]), [[0, 1, NO_ITEM]])
    assert found.keep.tolist() == [[False, False, False]]
    assert {rule: int(marks.sum()) for rule, marks in found.why.items()} == {"seen": 1, "rules": 1}
