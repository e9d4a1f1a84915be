"""Histories to sparse weights: which items of a request's history speak, and how loud."""

import numpy as np
from scipy import sparse

from palate.types import Ragged


def history_matrix(histories: Ragged, n_items: int, last: int = 0, decay: float = 1.0) -> sparse.csr_matrix:
    """(B, n_items) float32: decay ** age for the last `last` items of each row (0 is all), age 0 the newest.

    An item that stands more than once counts once, at its newest place.

    >>> history_matrix(Ragged.of([[2, 0, 2]]), 3, decay=0.5).toarray()
    array([[0.5, 0. , 1. ]], dtype=float32)
    """
    if last:
        histories = histories.last(last)
    place = histories.row_of * n_items + histories.values
    _, from_end = np.unique(place[::-1], return_index=True)
    newest = len(place) - 1 - from_end  # sorted by row, then by item
    weight = np.power(np.float32(decay), histories.ages[newest], dtype=np.float32)
    counts = np.bincount(histories.row_of[newest], minlength=len(histories))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return sparse.csr_matrix((weight, histories.values[newest], offsets), (len(histories), n_items))
