"""Cells of a catalogue to values."""

from palate.text.values import multi_hot
from retrieve.fakes import catalogue


def test_values_are_columns_by_falling_frequency_and_rare_or_common_ones_are_left_out():
    tags = ("red, soft",) * 5 + ("red",) * 2 + ("rare, ", "", "soft")
    hot = multi_hot(catalogue(10, tags=tags, kind=("thing",) * 10))
    assert hot.toarray().T.astype(int).tolist() == [[1] * 7 + [0] * 3, [1] * 5 + [0] * 4 + [1]]  # red, soft


def test_the_same_word_in_two_columns_is_two_values():
    half = ("x",) * 5 + ("",) * 5
    assert multi_hot(catalogue(10, tags=half, brand=half)).shape == (10, 2)
