"""Rows of numbers to rows of length one, the same for every stage that compares vectors."""

import numpy as np
from numpy.typing import NDArray

from palate.types import Floats


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    """(N, dim) each row divided by its length; a row (nearly) without length becomes zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    result: Floats = np.divide(rows, length, out=np.zeros(rows.shape, np.float32), where=length > 1e-9)
    return result
