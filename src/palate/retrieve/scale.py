"""Scores of different retrievers to one scale, each row by itself; a row of equal scores becomes zeros."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from palate.contracts import Retriever
from palate.retrieve.outline import Outline
from palate.retrieve.top import largest
from palate.types import Floats, Ints, Queries, Signals

DEPTH = 1000  # places of a list that reciprocal rank counts
Weights = NDArray[np.float64]


@runtime_checkable
class Outlining(Protocol):
    """A retriever whose scores single few items out, so that it need not make a number for every other one."""

    def outline(self, queries: Queries) -> Outline:
        """What `scores` gives, shorter."""
        ...


@dataclass(frozen=True, eq=False)
class Scaled:
    """Scores (B, n_items) to one scale, by row: times a factor, plus a shift.

    raw: (B, n_items), in full or as an outline
    factors, shifts: (B,)
    highest: (B,) of each row of `raw`
    """

    raw: Floats | Outline
    factors: Weights
    shifts: Weights
    highest: Floats

    def add(self, weights: Weights, total: Floats) -> None:
        """Add them, less their shifts, to a total (B, n_items), by a weight for each row."""
        of_raw = (weights * self.factors).astype(np.float32)
        for row in np.flatnonzero(of_raw).tolist():
            if isinstance(self.raw, Outline):
                self.raw.add(row, of_raw[row], total[row])
            else:
                total[row] += of_raw[row] * self.raw[row]

    def of(self, items: Ints) -> Floats:
        """(B, K) those of these items."""
        raw = self.raw.of(items) if isinstance(self.raw, Outline) else np.take_along_axis(self.raw, items, axis=1)
        return self._scaled(raw)

    @property
    def best(self) -> Floats:
        """(B, 1) the highest of each row."""
        return self._scaled(self.highest[:, None])

    def _scaled(self, raw: Floats) -> Floats:
        scaled: Floats = (self.factors[:, None] * raw + self.shifts[:, None]).astype(np.float32)
        return scaled


Scale = Callable[[Retriever, Queries], Scaled]


def z_scores(retriever: Retriever, queries: Queries) -> Scaled:
    """What a retriever says as `standardised` has it, up to rounding, without making it where it can be outlined."""
    raw: Floats | Outline
    if isinstance(retriever, Outlining):
        raw = retriever.outline(queries)
        mean, deviation, highest = raw.spread()
    else:
        raw = retriever.scores(queries)
        mean, deviation, highest = _spread(raw)
    factors = np.divide(1.0, deviation, out=np.zeros(len(mean)), where=deviation > 0)
    return Scaled(raw, factors, -mean * factors, highest)


def ranks(retriever: Retriever, queries: Queries, constant: float) -> Scaled:
    """The same by `reciprocal_ranks`."""
    scores = reciprocal_ranks(retriever.scores(queries), constant)
    return Scaled(scores, np.ones(len(scores)), np.zeros(len(scores)), scores.max(axis=1))


def _spread(scores: Floats) -> tuple[Weights, Weights, Floats]:
    """(B,) mean, deviation and highest of each row; the deviation of a row of equal scores is 0."""
    mean, deviation = np.zeros(len(scores)), np.zeros(len(scores))
    highest, centred = scores.max(axis=1), np.empty(scores.shape[1], np.float32)
    for place, row in enumerate(scores):  # a row at a time stays in the processor's cache
        mean[place] = middle = row.mean()
        if row.min() < highest[place]:
            np.subtract(row, middle, out=centred)
            deviation[place] = np.sqrt(np.mean(np.square(centred, out=centred)))
    return mean, deviation, highest


def signals(said: Sequence[tuple[str, Scaled]], items: Ints) -> Signals:
    """What each of M members says of a slate's items (B, K): its score, and how far that is below its best one.

    said: of each member its name and its scaled scores. The values are (B, K, 2 M).
    """
    own = [scores.of(np.maximum(items, 0)) for _, scores in said]
    short = [one - scores.best for one, (_, scores) in zip(own, said, strict=True)]
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
