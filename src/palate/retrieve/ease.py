"""EASE: the best linear item-to-item model, in closed form."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.errors import ConfigError
from palate.retrieve.history import history_matrix
from palate.retrieve.outline import Background, Outline
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.text.values import multi_hot
from palate.types import Floats, Ints, Queries, Ragged, Slate

ROWS = 1024  # items compared with all others at once


@options
class EASEConfig:
    regularisation: float = option(300.0, "The lambda of the ridge regression.", low=1e-6, tries=(100.0, 1000.0))
    max_items: int = option(10_000, "Items learned, the most liked; n of them take 4 n² bytes.", low=1)
    attributes: float = option(
        0.0, "How many people each value of a tag or attribute counts as, who like every item that has it.", low=0.0,
        tries=(3.0,), about_values=True,
    )  # fmt: skip
    last: int = option(0, "History items used, the newest; 0 is all.", low=0)
    decay: float = option(
        1.0, "Weight of a history item relative to the next newer one.", low=0.0, high=1.0,
        tries=(0.6, 0.8, 0.9), asking=True,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class EASE:
    """Each item predicted from all others by ridge regression without self-prediction.

    With X (n_users, n_items) of likes, F (n_values, n_items) of tags and attributes (see `multi_hot`) and
    P = inverse(Xᵀ X + attributes Fᵀ F + lambda I), the weight from history item i to item j is -P[i, j] / P[j, j],
    and 0 for i = j. With `attributes` above 0 items that nobody liked are reached through what they share. Dense:
    10,000 items take 0.4 GB. In a larger catalogue only the `max_items` most liked items are learned (ties: the lower
    row); the others score 0 and say nothing in a history.

    References: Steck (2019), Embarrassingly shallow autoencoders for sparse data, WWW, section 3; Jeunen, Van Balen
    and Goethals (2020), Closed-form models for collaborative filtering with side-information, RecSys, the collective
    model (CEASE).

    items_: (M,) the items learned, rising
    weights_: (M, M) from history item to scored item
    n_items_: the size of the catalogue
    """

    config: EASEConfig = EASEConfig()
    items_: Ints | None = None
    weights_: Floats | None = None
    n_items_: int = 0

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        likes = data.matrix()
        popularity = np.bincount(likes.indices, minlength=data.n_items)
        items = np.sort(np.argsort(-popularity, kind="stable")[: self.config.max_items])
        told = likes[:, items]
        if self.config.attributes:
            fans = multi_hot(data.items)[items].T * np.float32(np.sqrt(self.config.attributes))
            told = sparse.csr_matrix(sparse.vstack([told, fans]))
        weights = _inverse(self._gram(told, runtime))
        weights /= -np.diag(weights)
        np.fill_diagonal(weights, 0.0)
        return replace(self, items_=items.astype(np.int32), weights_=weights, n_items_=data.n_items)

    def scores(self, queries: Queries) -> Floats:
        return self.outline(queries).dense()

    def outline(self, queries: Queries) -> Outline:
        """What `scores` gives, as the items learned and all others, which score 0."""
        weights, items = fitted(self.weights_, self), fitted(self.items_, self)
        history = history_matrix(queries.histories, self.n_items_, self.config.last, self.config.decay)
        told = history[:, items] @ weights
        learned = Ragged(np.tile(items, len(told)), np.arange(len(told) + 1, dtype=np.int64) * len(items))
        return Outline(self._unlearned, np.zeros(len(told), np.float32), learned, told.ravel())

    @cached_property
    def _unlearned(self) -> Background:
        return Background(np.zeros(self.n_items_, np.float32))

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)

    def _gram(self, likes: sparse.csr_matrix, runtime: Runtime) -> Floats:
        """(M, M) Xᵀ X + lambda I, a block of rows at a time; X (people, M) of likes, or of likes above values."""
        people = likes.T.tocsr()
        n = likes.shape[1]
        gram = np.empty((n, n), np.float32)
        for start in runtime.progress(range(0, n, ROWS), "EASE"):
            gram[start : start + ROWS] = (people[start : start + ROWS] @ likes).toarray()
        gram[np.diag_indices(n)] += np.float32(self.config.regularisation)
        return gram


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a symmetric positive definite matrix, in its place."""
    factor, failed = lapack.spotrf(matrix.T, overwrite_a=True, clean=False)
    if failed:
        raise ConfigError(f"EASE.regularisation: too small for this data (at item {failed}); choose a larger value")
    inverse: Floats = lapack.spotri(factor, overwrite_c=True)[0].T  # the lower half of it
    for row in range(len(inverse)):
        inverse[row, row + 1 :] = inverse[row + 1 :, row]
    return inverse
