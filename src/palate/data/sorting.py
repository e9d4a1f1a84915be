"""The order of a log: by user, then time, then place in the log; linear in the number of events for whole seconds."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.types import Ints

_DIGIT = 15  # bits sorted in one pass


def time_order(time: NDArray[np.float64]) -> Ints:
    """(E,) the rows of a log sorted by time, then by row; nan comes last.

    A radix sort in two passes where times are whole and span less than 34 years, else a comparison sort.

    >>> time_order(np.array([5.0, 9.0, 3.0, 5.0]))
    array([2, 0, 3, 1], dtype=int32)
    """
    rows = np.arange(len(time), dtype=np.int32)
    if (time[1:] >= time[:-1]).all():
        return rows
    offset = time - time.min()
    if not (offset < 1 << 2 * _DIGIT).all() or (offset != np.floor(offset)).any():
        return np.argsort(time, kind="stable").astype(np.int32)
    digits = offset.astype(np.int32)
    rows = spread(rows, digits & ((1 << _DIGIT) - 1), 1 << _DIGIT)
    return spread(rows, digits[rows] >> _DIGIT, 1 << _DIGIT)


def spread(rows: Ints, keys: Ints, n_keys: int) -> Ints:
    """`rows` sorted by their `keys` (0 to n_keys - 1), equal keys in the given order.

    A counting sort: the turn of a one-row matrix into columns, which scipy does in C.

    >>> spread(np.array([2, 0, 3, 1], np.int32), np.array([1, 1, 0, 0], np.int32), 2)
    array([3, 1, 2, 0], dtype=int32)
    """
    line = sparse.csr_matrix((rows, keys, np.array([0, len(rows)])), shape=(1, n_keys))
    return np.asarray(line.tocsc().data, np.int32)
