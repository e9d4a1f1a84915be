"""Scores of different retrievers to one scale, each row by itself; a row of equal scores becomes zeros."""

from collections.abc import Callable, Sequence

import numpy as np

from palate.retrieve.top import largest
from palate.types import Floats, Ints, Signals

DEPTH = 1000  # places of a list that reciprocal rank counts
Scale = Callable[[Floats], Floats]


def signals(said: Sequence[tuple[str, Floats]], items: Ints) -> Signals:
    """What each of M members says of a slate's items (B, K): its score, and how far that is below its best one.

    said: of each member its name and its scaled scores (B, n_items). The values are (B, K, 2 M).
    """
    own = [np.take_along_axis(scores, np.maximum(items, 0), axis=1) for _, scores in said]
    short = [one - scores.max(axis=1, keepdims=True) for one, (_, scores) in zip(own, said, strict=True)]
    names = [f"{name}: {what}" for what in ("score", "distance to its best") for name, _ in said]
    return Signals(tuple(names), np.stack([*own, *short], axis=2))


def standardised(scores: Floats) -> Floats:
    """(B, n_items) z-scores: less the row's mean, divided by its deviation.

    >>> standardised(np.array([[1, 1, 4], [5, 5, 5]], np.float32)).round(2)
    array([[-0.71, -0.71,  1.41],
           [ 0.  ,  0.  ,  0.  ]], dtype=float32)
    """
    found = np.empty_like(scores)
    for row, centred in zip(scores, found, strict=True):  # a row at a time stays in the processor's cache
        np.subtract(row, row.mean(), out=centred)
        deviation = np.sqrt(np.mean(np.square(centred)))
        centred *= 1 / deviation if row.max() > row.min() else np.float32(0)
    return found


def reciprocal_ranks(scores: Floats, constant: float) -> Floats:
    """(B, n_items) 1 / (constant + rank) for the first 1,000 places, else 0.

    Equal scores share the better rank; the lowest score of a row earns nothing.

    >>> reciprocal_ranks(np.array([[1, 3, 3, 2]], np.float32), 1.0).round(2)
    array([[0.  , 0.5 , 0.5 , 0.25]], dtype=float32)
    """
    chosen = largest(scores, DEPTH)
    n_rows, n_items = scores.shape
    items = (np.flatnonzero(chosen) % n_items).reshape(n_rows, min(DEPTH, n_items))
    values = np.take_along_axis(scores, items, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    items, values = np.take_along_axis(items, order, axis=1), np.take_along_axis(values, order, axis=1)
    place = np.arange(1, items.shape[1] + 1)
    first = np.where(values[:, 1:] < values[:, :-1], place[1:], 1)  # where a run of equal scores begins
    rank = np.hstack([np.ones((len(items), 1)), np.maximum.accumulate(first, axis=1)])
    earned = np.where(values > scores.min(axis=1, keepdims=True), 1 / (constant + rank), 0)
    result = np.zeros(scores.shape, np.float32)
    np.put_along_axis(result, items, earned.astype(np.float32), axis=1)
    return result
