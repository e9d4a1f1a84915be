"""Frames out in the user's kind, and pairs in."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from palate.data.frames import native
from palate.data.pairs import Pairs, read_pairs
from palate.errors import DataError


@pytest.mark.parametrize(("kind", "frame"), [("polars", pl.DataFrame), ("pandas", pd.DataFrame)])
def test_answers_come_back_in_kind(kind, frame):
    answer = native({"user_id": ["007", "7"], "score": np.array([0.5, 0.25], np.float32)}, kind)
    assert isinstance(answer, frame)
    assert list(answer.columns) == ["user_id", "score"]
    assert list(answer["user_id"]) == ["007", "7"]
    assert list(answer["score"]) == [0.5, 0.25]


@pytest.mark.parametrize(("make", "kind"), [(pl.DataFrame, "polars"), (pd.DataFrame, "pandas")])
def test_pairs_keep_their_order_and_repeats(make, kind):
    pairs = read_pairs(make({"user_id": ["b", "a", "b"], "item_id": [7, 10, 7]}))
    assert pairs == Pairs(("b", "a", "b"), ("7", "10", "7"), kind)


def test_pairs_may_come_from_a_file(tmp_path):
    (tmp_path / "pairs.csv").write_text("userId,movieId\n1,007\n")
    assert read_pairs(tmp_path / "pairs.csv") == Pairs(("1",), ("007",), "polars")


def test_pairs_without_an_id_are_refused():
    with pytest.raises(DataError, match=r"pairs\[1\]: item_id is empty"):
        read_pairs(pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", None]}))
    with pytest.raises(DataError, match=r"pairs: item_id is missing; there are user_id"):
        read_pairs(pl.DataFrame({"user_id": ["a"]}))
