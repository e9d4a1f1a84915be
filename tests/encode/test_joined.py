"""Encoders side by side, with values worked by hand."""

from dataclasses import dataclass

import numpy as np
import pytest

from palate.encode.joined import JoinedEncoder
from palate.runtime import Runtime


@dataclass(frozen=True)
class Told:
    """An encoder that says what it was told of each text."""

    rows: dict[str, list[float]]

    def fit(self, texts, runtime):
        return self

    def encode(self, texts, *, role):
        return np.array([self.rows[text] for text in texts], np.float32)


def test_both_count_alike_and_what_only_one_can_read_is_that_ones():
    first, second = Told({"a": [1, 0], "b": [0, 0]}), Told({"a": [0.6, 0.8, 0], "b": [0, 0, 1]})
    both = JoinedEncoder(encoders=(first, second)).fit(("a", "b"), Runtime())
    half = 0.5**0.5
    told = [[half, 0, 0.6 * half, 0.8 * half, 0], [0, 0, 0, 0, 1]]
    assert both.encode(("a", "b"), role="item") == pytest.approx(np.array(told))
