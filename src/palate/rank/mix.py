"""Histories and candidates to how much closer each candidate would bring a list to its history's mix of values."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.metrics.beyond import SMOOTHING, mixes
from palate.types import Ints, Longs, Queries


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """What the candidates of B requests hold of the values in the requests' histories (B, V).

    wanted: (B, V) the histories' mix p. shown: (B, V) the summed shares of the places so far.
    shares: (B * K, V). cell, request, value: (N,) candidate, request and value of each share that is not 0.
    """

    wanted: NDArray[np.float64]
    shown: NDArray[np.float64]
    shares: sparse.csr_matrix
    cell: Longs
    request: Longs
    value: Ints
    k: int

    @staticmethod
    def of(queries: Queries, items: Ints, shares: sparse.csr_matrix) -> "Mix":
        mix = mixes(queries.histories, shares)
        used = np.unique(mix.indices)
        wanted = mix[:, used].toarray().astype(np.float64)
        own = sparse.csr_matrix(shares[np.maximum(items, 0).ravel()][:, used])
        cell = np.repeat(np.arange(items.size), np.diff(own.indptr))
        request = cell // max(items.shape[1], 1)
        return Mix(wanted, np.zeros_like(wanted), own, cell, request, own.indices, items.shape[1])

    def fall(self, place: int) -> NDArray[np.float64]:
        """(B, K) by how much each candidate at this place (0 is the first) would lower KL(p, q), against an item
        without values; it changes only the terms of the values that it has."""
        p, shown = self.wanted[self.request, self.value], self.shown[self.request, self.value]
        scale = (1 - SMOOTHING) / (place + 1)
        before = np.where(p > 0, scale * shown + SMOOTHING * p, 1.0)
        falls = p * np.log1p(scale * self.shares.data / before)
        total = np.bincount(self.cell, falls, self.shares.shape[0]).astype(np.float64)
        return total.reshape(len(self.wanted), self.k)

    def with_shown(self, pick: Longs) -> "Mix":
        """The same once each request shows its candidate `pick` (B,)."""
        chosen = self.shares[np.arange(len(pick)) * self.k + pick]
        return replace(self, shown=self.shown + chosen.toarray())
