"""iALS: people and items as short vectors, by weighted least squares; a request's vector comes from its history."""

from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Lock
from typing import ClassVar, Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.history import history_matrix
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
        factors, alpha = fitted(self.factors_, self), self.config.alpha
        history = history_matrix(queries.histories, len(factors))
        of_all = factors.T @ factors
        of_all[np.diag_indices_from(of_all)] += np.float32(self.config.regularisation)
        left = np.empty((len(queries), *of_all.shape), np.float32)
        right = np.empty((len(queries), len(of_all), 1), np.float32)
        for row, (start, end) in enumerate(pairwise(history.indptr)):
            liked = factors[history.indices[start:end]]
            left[row] = of_all + (alpha - 1) * (liked.T @ liked)
            right[row, :, 0] = alpha * liked.sum(axis=0)
        with _BLAS, threadpool_limits(1, "blas"):  # many small systems: threads only wait for each other
            vectors: Floats = np.linalg.solve(left, right)[:, :, 0]  # (B, factors)
        return product(vectors, factors.T)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)
