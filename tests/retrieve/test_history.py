"""Which items of a history speak, and how loud."""

import numpy as np
import pytest

from palate.retrieve.history import history_matrix
from palate.types import Ragged

HISTORIES = Ragged.of([[3, 0, 1], [], [2, 2, 0, 2]])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0]], id="all-alike"),
        pytest.param({"last": 2}, [[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0]], id="the-newest-two"),
        pytest.param({"decay": 0.5}, [[0.5, 1, 0, 0.25], [0, 0, 0, 0], [0.5, 0, 1, 0]], id="newest-loudest"),
        pytest.param({"decay": 0.0}, [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], id="only-the-newest"),
    ],
)
def test_weights_match_hand_arithmetic(options, expected):
    matrix = history_matrix(HISTORIES, 4, **options)
    assert matrix.dtype == np.float32
    assert matrix.toarray().tolist() == expected
