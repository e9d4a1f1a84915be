"""iALS: people and items as short vectors, by weighted least squares; a request's vector comes from its history."""

from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import ClassVar, Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.exact import LongestFirst
from palate.retrieve.history import history_matrix
from palate.retrieve.tiles import MANY, Tiles
from palate.retrieve.top import fitted, product, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Slate

_BLAS = Lock()  # the number of BLAS threads is one setting for the whole process


@options
class IALSConfig:
    factors: int = option(64, "Length of the vectors.", low=1, tries=(128,))
    regularisation: float = option(30.0, "Pulls the vectors towards zero.", low=1e-6, tries=(10.0, 100.0))
    alpha: float = option(
        10.0, "Confidence in a like, where everything not liked has confidence 1.", low=1.0, tries=(3.0, 30.0)
    )
    iterations: int = option(15, "Rounds of fitting the people, then the items.", low=1)


@dataclass(frozen=True, eq=False)
class IALS:
    """Implicit alternating least squares.

    A request's vector is the exact least-squares solution for its history with the items held fixed, so new
    people and changed histories are answered at once: u = inverse(YᵀY + (alpha - 1) Σ y yᵀ + lambda I) alpha Σ y,
    summed over the distinct history items.

    Reference: Hu, Koren and Volinsky (2008), ICDM, section 4; learned with `implicit`.

    factors_: (n_items, factors)
    """

    config: IALSConfig = IALSConfig()
    factors_: Floats | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        config = self.config
        with _BLAS, threadpool_limits(1, "blas"):  # implicit runs its own threads
            model = AlternatingLeastSquares(
                factors=config.factors,
                regularization=config.regularisation,
                alpha=config.alpha,
                iterations=config.iterations,
                random_state=runtime.rng("ials"),
            )
            model.fit(data.matrix(), show_progress=False)
        return replace(self, factors_=model.item_factors)

    def scores(self, queries: Queries) -> Floats:
        factors = fitted(self.factors_, self)
        asked = self.asked(queries)
        return product(asked, factors.T) if len(factors) < MANY else self._tiles.product(asked)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        if among is not None:
            return retrieve_in_blocks(self.scores, queries, k, among)
        fitted(self.factors_, self)
        return self._index.retrieve(self.asked, queries, k)

    def asked(self, queries: Queries) -> Floats:
        """(B, factors) what the histories lead to, zero where there is none.

        With whitened item vectors w = y M, where M Mᵀ = inverse(YᵀY + lambda I), and W (n, factors) those of the
        history, a vector is alpha M Wᵀ inverse(I + (alpha - 1) W Wᵀ) 1: a system as large as the history is long.
        A history longer than there are factors takes the same from inverse(I + (alpha - 1) Wᵀ W) Wᵀ 1.
        """
        factors, alpha = fitted(self.factors_, self), self.config.alpha
        history = history_matrix(queries.histories, len(factors))
        lengths = np.diff(history.indptr)
        found = np.zeros((len(queries), factors.shape[1]), np.float32)
        for length in np.unique(lengths[lengths > 0]):  # those of one length together
            rows = np.flatnonzero(lengths == length)
            places = history.indptr[rows, None] + np.arange(length)
            whitened = factors[history.indices[places]] @ self._whitener  # (R, length, factors)
            across = whitened.transpose(0, 2, 1)
            dual = length <= factors.shape[1]
            left = (alpha - 1) * (whitened @ across if dual else across @ whitened)
            left[:, np.arange(left.shape[1]), np.arange(left.shape[1])] += 1
            right = np.ones((len(rows), length, 1), np.float32)
            solved = across @ np.linalg.solve(left, right) if dual else np.linalg.solve(left, across @ right)
            found[rows] = solved[:, :, 0]
        return product(found, np.float32(alpha) * self._whitener.T)

    @cached_property
    def _whitener(self) -> Floats:
        """(factors, factors)"""
        factors = fitted(self.factors_, self)
        of_all = (factors.T @ factors).astype(np.float64)
        of_all[np.diag_indices_from(of_all)] += self.config.regularisation
        whitener: Floats = np.linalg.inv(np.linalg.cholesky(of_all)).T.astype(np.float32)
        return whitener

    @cached_property
    def _tiles(self) -> Tiles:
        return Tiles.of(fitted(self.factors_, self))

    @cached_property
    def _index(self) -> LongestFirst:
        return LongestFirst.of(fitted(self.factors_, self))
