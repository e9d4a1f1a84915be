import numpy as np
import pytest

from palate.encode.hashing import HashingEncoder
from palate.retrieve.dense import Dense
from palate.serve.annex import Annex
from palate.serve.entries import Entry
from palate.serve.merge import merged


def beside(near, told, *, every, k=10, scores=None):
    """Three items of a catalogue whose texts are `told` near to what is asked, beside new ones that are `near`."""
    vectors = np.array([[cosine, np.sqrt(1 - cosine**2)] for cosine in told], np.float32)
    reader = Dense(encoder=HashingEncoder(), vectors_=vectors)
    annex = Annex(
        len(told),
        tuple(Entry(f"n{row}") for row in range(len(near))),
        np.arange(len(told), len(told) + len(near), dtype=np.int32),
        np.array([[cosine, np.sqrt(1 - cosine**2)] for cosine in near], np.float32),
    )
    items = np.arange(len(told), dtype=np.int32)
    scores = np.array(scores or [3.0, 2.0, 1.0], np.float32)
    asked = np.array([1.0, 0.0], np.float32)
    return merged(items, scores, annex, np.ones(len(near), np.bool_), asked, reader, k=k, every=every)


@pytest.mark.parametrize(
    ("near", "expected", "scores"),
    [
        pytest.param([0.9], [3, 0, 1, 2], [3, 3, 2, 1], id="nearest-first"),
        pytest.param([0.5], [0, 1, 3, 2], [3, 2, 1, 1], id="before-the-first-that-is-further"),
        pytest.param([0.1], [0, 1, 2, 3], [3, 2, 1, 1], id="last"),
        pytest.param([0.5, 0.9], [4, 0, 1, 3, 2], [3, 3, 2, 1, 1], id="two"),
    ],
)
def test_by_text_an_item_stands_before_the_first_whose_text_is_further(near, expected, scores):
    items, found, new = beside(near, [0.8, 0.6, 0.4], every=0)
    assert items.tolist() == expected
    assert found.tolist() == scores
    assert new == set(range(3, 3 + len(near)))


def test_beside_behaviour_the_best_has_every_nth_place():
    items, scores, new = beside([0.1, 0.9, 0.5], [0.8, 0.6, 0.4], every=2, k=4)
    assert items.tolist() == [0, 4, 1, 5]
    assert scores.tolist() == [3, 2, 2, 1]
    assert new == {4, 5}


def test_a_list_that_is_too_short_for_a_place_keeps_its_items():
    assert beside([0.9], [0.8, 0.6, 0.4], every=10, k=3)[0].tolist() == [0, 1, 2]


def test_an_empty_list_takes_what_there_is():
    items, scores, _ = merged(
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        Annex(0, (Entry("n"),), np.array([0], np.int32), np.array([[1.0, 0.0]], np.float32)),
        np.ones(1, np.bool_),
        np.array([1.0, 0.0], np.float32),
        Dense(encoder=HashingEncoder(), vectors_=np.zeros((0, 2), np.float32)),
        k=5,
        every=0,
    )
    assert items.tolist() == [0]
    assert scores.tolist() == [0.0]
