"""What is known of items, as numbers."""

import numpy as np

from palate.train.content import content_of
from retrieve.fakes import WordEncoder, catalogue


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
