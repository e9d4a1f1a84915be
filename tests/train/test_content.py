"""What is known of items, as numbers."""

import numpy as np

from palate.data.dataset import Catalogue, IdMap
from palate.train.content import content_of, multi_hot
from retrieve.fakes import WordEncoder


def catalogue(n, *, title=None, tags=None, **attributes):
    ids = IdMap(tuple(f"i{item}" for item in range(n)))
    empty = ("",) * n
    return Catalogue(ids, title or empty, empty, tags or empty, attributes)


def test_values_are_columns_by_falling_frequency_and_rare_or_common_ones_are_left_out():
    tags = ("red, soft",) * 5 + ("red",) * 2 + ("rare, ", "", "soft")
    hot = multi_hot(catalogue(10, tags=tags, kind=("thing",) * 10))
    assert hot.T.astype(int).tolist() == [[1] * 7 + [0] * 3, [1] * 5 + [0] * 4 + [1]]  # red, soft


def test_the_same_word_in_two_columns_is_two_values():
    half = ("x",) * 5 + ("",) * 5
    assert multi_hot(catalogue(10, tags=half, brand=half)).shape == (10, 2)


def test_text_and_attributes_stand_side_by_side_at_the_given_length():
    title = (*(f"word{item} other{item % 3}" for item in range(9)), "")
    known = content_of(
        catalogue(10, title=title, tags=("x",) * 5 + ("",) * 5), WordEncoder(), text_dim=192, whiten=1.0, scale=5.0
    )
    lengths = np.linalg.norm(known.rows[:, : known.axes.shape[1]], axis=1)
    np.testing.assert_allclose(lengths, [5.0] * 9 + [0.0], rtol=1e-5)
    assert known.rows[:, known.axes.shape[1] :].ravel().tolist() == [5.0] * 5 + [0.0] * 5


def test_a_catalogue_without_words_has_rows_of_zero():
    known = content_of(catalogue(3), WordEncoder(), text_dim=192, whiten=1.0, scale=5.0)
    assert not known.rows.any()
