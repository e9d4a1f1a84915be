"""Frames out in the user's kind, and pairs in."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from palate.data.frames import native, texts_of
from palate.errors import DataError


@pytest.mark.parametrize(("kind", "frame"), [("polars", pl.DataFrame), ("pandas", pd.DataFrame)])
def test_answers_come_back_in_kind(kind, frame):
    answer = native({"user_id": ["007", "7"], "score": np.array([0.5, 0.25], np.float32)}, kind)
    assert isinstance(answer, frame)
    assert list(answer.columns) == ["user_id", "score"]
    assert list(answer["user_id"]) == ["007", "7"]
    assert list(answer["score"]) == [0.5, 0.25]


@pytest.mark.parametrize(("make", "kind"), [(pl.DataFrame, "polars"), (pd.DataFrame, "pandas")])
def test_ids_of_a_frame_are_text_in_the_order_of_its_rows(make, kind):
    frame = make({"user_id": ["b", "a", "b"], "item_id": [7, 10, 7]})
    found = texts_of(frame, ("user_id", "item_id"), "pairs")
    assert found == ({"user_id": ["b", "a", "b"], "item_id": ["7", "10", "7"]}, kind)


def test_a_frame_without_an_id_is_refused():
    with pytest.raises(DataError, match="pairs: row 2, column item_id: empty"):
        texts_of(pl.DataFrame({"item_id": ["x", None]}), ("item_id",), "pairs")
    with pytest.raises(DataError, match="pairs: no column item_id; the frame has user_id"):
        texts_of(pl.DataFrame({"user_id": ["a"]}), ("user_id", "item_id"), "pairs")
    with pytest.raises(DataError, match="pairs: list is no usable frame"):
        texts_of([1], ("user_id",), "pairs")
