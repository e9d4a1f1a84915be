"""The order of a log: by user, then time, then place in the log; linear in the number of events for whole seconds."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.types import Ints

_DIGIT = 15  # bits sorted in one pass


def log_order(user: Ints, n_users: int, time: NDArray[np.float64]) -> Ints:
    """(E,) the rows of a log sorted by user, then time, then row.

    >>> log_order(np.array([1, 0, 1, 1], np.int32), 2, np.array([5.0, 9.0, 3.0, 5.0]))
    array([1, 2, 0, 3], dtype=int32)
    """
    rows = np.arange(len(user), dtype=np.int32)
    if (time[1:] < time[:-1]).any():
        rows = _time_order(rows, time)
    return _spread(rows, user, n_users)


def _time_order(rows: Ints, time: NDArray[np.float64]) -> Ints:
    """Radix sort in two passes where times are whole and span less than 34 years, else a comparison sort."""
    offset = time - time.min()
    if offset.max() >= 1 << 2 * _DIGIT or (offset != np.floor(offset)).any():
        return np.argsort(time, kind="stable").astype(np.int32)
    digits = offset.astype(np.int32)
    rows = _spread(rows, digits & ((1 << _DIGIT) - 1), 1 << _DIGIT)
    return _spread(rows, digits >> _DIGIT, 1 << _DIGIT)


def _spread(rows: Ints, key: Ints, n_keys: int) -> Ints:
    """Stable counting sort of `rows` by `key[row]`: the turn of a one-row matrix into columns, done in C by scipy."""
    line = sparse.csr_matrix((rows, key[rows], np.array([0, len(rows)])), shape=(1, n_keys))
    return np.asarray(line.tocsc().data, np.int32)
