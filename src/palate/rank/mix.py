"""Histories and candidates to how much closer each candidate would bring a list to its history's mix of values."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.metrics.beyond import SMOOTHING, mixes
from palate.types import Ints, Longs, Queries


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """What the candidates (B, K) hold of the values in their requests' histories, as N entries.

    shown: (B * V,) each request's summed shares of each value over the places so far.
    at: (N,) where in `shown` an entry's value stands. cell: (N,) its candidate, counted through all requests.
    share: (N,) what the candidate has of the value. wanted: (N,) what the history's mix p has of it, above 0.
    """

    shown: NDArray[np.float64]
    at: Longs
    cell: Longs
    share: NDArray[np.float64]
    wanted: NDArray[np.float64]
    shape: tuple[int, int]

    @staticmethod
    def of(queries: Queries, items: Ints, shares: sparse.csr_matrix) -> "Mix":
        """Nothing shown yet; `shares` (n_items, n_values)."""
        mix = mixes(queries.histories, shares)
        used = np.unique(mix.indices)  # no other value counts for any of the requests
        wanted = mix[:, used].toarray().astype(np.float64).ravel()
        own = sparse.coo_matrix(shares[np.maximum(items, 0).ravel()][:, used])
        at = own.row.astype(np.int64) // max(items.shape[1], 1) * len(used) + own.col
        asked = wanted[at] > 0
        at, cell = at[asked], own.row[asked].astype(np.int64)
        return Mix(np.zeros(len(wanted)), at, cell, own.data[asked].astype(np.float64), wanted[at], items.shape)

    def fall(self, place: int) -> NDArray[np.float64]:
        """(B, K) by how much each candidate at this place (0 is the first) would lower KL(p, q), against an item
        without values: it changes only the terms of the values that it has."""
        scale = (1 - SMOOTHING) / (place + 1)
        falls = self.wanted * np.log1p(scale * self.share / (scale * self.shown[self.at] + SMOOTHING * self.wanted))
        return np.bincount(self.cell, falls, self.shape[0] * self.shape[1]).astype(np.float64).reshape(self.shape)

    def with_shown(self, pick: Longs) -> "Mix":
        """The same once each request shows its candidate `pick` (B,)."""
        chosen = self.cell == (np.arange(self.shape[0]) * self.shape[1] + pick)[self.cell // self.shape[1]]
        shown = self.shown.copy()
        shown[self.at[chosen]] += self.share[chosen]  # an item has a value once, so no place stands twice
        return replace(self, shown=shown)
