"""Places that are kept for items nobody has liked yet."""

import numpy as np
import pytest

from palate.rank.newcomers import Newcomers
from palate.types import NO_ITEM, Slate
from retrieve.fakes import asking

COLD = np.arange(20) >= 10


def slate(*rows: list[int]) -> Slate:
    items = np.array(rows, np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, -np.arange(items.shape[1], dtype=np.float32))
    return Slate(items, scores.astype(np.float32))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([0, 1, 2, 3, 4, 10, 11], [0, 1, 10, 2, 3, 11, 4], id="moved up in their order"),
        pytest.param([10, 1, 2, 3, 4, 5, 11], [10, 1, 2, 3, 4, 11, 5], id="one that stands higher counts"),
        pytest.param([10, 11, 12, 0, 1, 2, 3], [10, 11, 12, 0, 1, 2, 3], id="more than their share stay"),
        pytest.param([0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5, 6], id="none"),
        pytest.param([0, 1, 2, 3, 10, NO_ITEM, NO_ITEM], [0, 1, 10, 2, 3, NO_ITEM, NO_ITEM], id="padded"),
    ],
)
def test_newcomers_get_every_third_place(before, after):
    found = Newcomers(3, COLD).rank(asking([5]), slate(before))
    assert found.items.tolist() == [after]
    assert found.scores.tolist() == slate(before).scores.tolist()


def test_wishes_and_strangers_keep_their_order():
    rows = slate([0, 1, 2, 10], [0, 1, 2, 10], [0, 1, 2, 10])
    found = Newcomers(2, COLD).rank(asking([5], [5], [], wishes=["", "tea", ""]), rows)
    assert found.items.tolist() == [[0, 10, 1, 2], [0, 1, 2, 10], [0, 1, 2, 10]]
