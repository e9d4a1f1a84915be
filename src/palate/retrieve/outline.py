"""Scores over the whole catalogue that single out a few items of each request, without a number for every other one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from palate.types import Bools, Floats, Ints, Ragged

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Background:
    """What items score where a request singles them out for nothing: (n_items,), the same for all requests."""

    values: Floats

    @cached_property
    def sums(self) -> tuple[float, float]:
        """Of the values and of their squares."""
        exact = self.values.astype(np.float64)
        return float(exact.sum()), float(np.square(exact).sum())

    @cached_property
    def rising(self) -> Ints:
        """(n_items,) the items, the lowest first."""
        return np.argsort(self.values, kind="stable").astype(np.int32)


@dataclass(frozen=True, eq=False)
class Outline:
    """Scores (B, n_items): the background times a request's factor, and for the items singled out values of their own.

    factors: (B,) from 0
    items: per request those singled out, each once
    values: (N,) what they score, as `items` has them
    """

    background: Background
    factors: Floats
    items: Ragged
    values: Floats

    def dense(self) -> Floats:
        """(B, n_items) a number for every item."""
        scores = np.multiply.outer(self.factors, self.background.values)
        scores[self.items.row_of, self.items.values] = self.values
        return scores

    def add(self, row: int, weight: np.float32, total: Floats) -> None:
        """Add a row, times a weight, to a total (n_items,)."""
        items, behind, factor = self.items[row], self.background.values, weight * self.factors[row]
        values = weight * self.values[self._own(row)]
        if factor:
            total += factor * behind
            values -= factor * behind[items]
        total[items] += values

    def of(self, items: Ints) -> Floats:
        """(B, K) what these items score."""
        found: Floats = self.factors[:, None] * self.background.values[items]
        place = np.zeros(len(self.background.values), np.int64)
        for row, own in enumerate(self.items):
            start = int(self.items.offsets[row])
            place[own] = np.arange(1, len(own) + 1)
            single = place[items[row]]
            found[row, single > 0] = self.values[start + single[single > 0] - 1]
            place[own] = 0
        return found

    def spread(self) -> tuple[Doubles, Doubles, Floats]:
        """(B,) mean, deviation and highest of each row; the deviation of a row of equal scores is 0."""
        n_items, (total, squares) = len(self.background.values), self.background.sums
        mean, deviation = np.zeros(len(self.factors)), np.zeros(len(self.factors))
        highest = np.zeros(len(self.factors), np.float32)
        for row, factor in enumerate(self.factors.astype(np.float64)):
            own = self.values[self._own(row)].astype(np.float64)
            behind = self.background.values[self.items[row]].astype(np.float64) if factor else np.zeros(1)
            mean[row] = middle = (factor * (total - behind.sum()) + own.sum()) / n_items
            square = (factor**2 * (squares - np.square(behind).sum()) + np.square(own).sum()) / n_items
            lowest, highest[row] = self._ends(row)
            deviation[row] = np.sqrt(max(square - middle**2, 0.0)) if lowest < highest[row] else 0.0
        return mean, deviation, highest

    def _own(self, row: int) -> slice:
        return slice(int(self.items.offsets[row]), int(self.items.offsets[row + 1]))

    def _ends(self, row: int) -> tuple[np.float32, np.float32]:
        """The lowest and the highest score of a row."""
        items, rising = self.items[row], self.background.rising
        values = self.values[self._own(row)]
        behind = self.factors[row] * self.background.values[rising[[0, -1]]]
        if not len(items):
            return behind[0], behind[1]
        low, high = values.min(), values.max()
        if len(items) < len(rising) and (behind[0] < low or behind[1] > high):
            single = np.zeros(len(rising), np.bool_)
            single[items] = True
            if behind[0] < low:
                low = min(low, self.factors[row] * self.background.values[_first(rising, single)])
            if behind[1] > high:
                high = max(high, self.factors[row] * self.background.values[_first(rising[::-1], single)])
        return low, high


def _first(order: Ints, single: Bools) -> int:
    """The first item of an order that is not singled out."""
    return int(next(item for item in order if not single[item]))
