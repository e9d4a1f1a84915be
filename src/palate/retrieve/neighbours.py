"""Item-kNN: items liked by the same people, found by counting."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.history import history_matrix
from palate.retrieve.outline import Background, Outline
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Ragged, Slate

ROWS = 1024  # items compared with all others at once


@options
class ItemKNNConfig:
    neighbours: int = option(1000, "Nearest items that each history item speaks for; 0 is all.", low=0)
    damping: float = option(
        0.5, "Exponent of a history item's popularity; 0.5 and 0.5 is cosine.", low=0.0, tries=(0.3,)
    )
    target_damping: float = option(0.5, "Exponent of a scored item's popularity.", low=0.0, tries=(0.1, 0.3))
    shrinkage: float = option(0.0, "Added to the divisor: distrusts items with few likes.", low=0.0)
    last: int = option(0, "History items used, the newest; 0 is all.", low=0)
    decay: float = option(
        1.0, "Weight of a history item relative to the next newer one.", low=0.0, high=1.0,
        tries=(0.6, 0.8, 0.9), asking=True,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ItemKNN:
    """Items that were liked together with the history's items.

    similarity(a, b) = both(a, b) / (pop(a) ** damping * pop(b) ** target_damping + shrinkage), where `both` counts the
    people who liked the two and `pop` those who liked the one; score(b) = sum of decay ** age(a) similarity(a, b) over
    the history's items a that have b among their nearest. Equal similarities: the lower row is nearer. Items that
    the history does not speak for follow below all others, the popular ones first.

    Reference: Deshpande and Karypis (2004), ACM TOIS 22(1), section 4.

    similarity_: (n_items, n_items) from history item to scored item, without the diagonal
    popularity_: (n_items,) the people who liked each item
    """

    config: ItemKNNConfig = ItemKNNConfig()
    similarity_: sparse.csr_matrix | None = None
    popularity_: Floats | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        liked = data.matrix()
        people = liked.T.tocsr()  # (n_items, n_users)
        popularity = np.bincount(liked.indices, minlength=data.n_items)
        known = np.maximum(popularity, 1)
        own, others = known**self.config.damping, known**self.config.target_damping
        blocks = []
        for start in runtime.progress(range(0, data.n_items, ROWS), "item-kNN"):
            block = (people[start : start + ROWS] @ liked).tocoo()
            item, other = block.row + start, block.col
            similarity = block.data / (own[item] * others[other] + self.config.shrinkage)
            apart = item != other
            shape = (min(ROWS, data.n_items - start), data.n_items)
            near = sparse.csr_matrix((similarity[apart], (block.row[apart], other[apart])), shape, np.float32)
            blocks.append(nearest(near, self.config.neighbours))
        similarity_ = sparse.csr_matrix(sparse.vstack(blocks))
        return replace(self, similarity_=similarity_, popularity_=popularity.astype(np.float32))

    def scores(self, queries: Queries) -> Floats:
        return self.outline(queries).dense()

    def outline(self, queries: Queries) -> Outline:
        """What `scores` gives, as the items that the history speaks for and all others behind them."""
        similarity = fitted(self.similarity_, self)
        return answers(queries.histories, similarity, self._followers, self.config.last, self.config.decay)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)

    @cached_property
    def _followers(self) -> Background:
        return followers(fitted(self.popularity_, self))


def answers(histories: Ragged, table: sparse.csr_matrix, backoff: Background, last: int, decay: float) -> Outline:
    """What histories say by a table (n_items, n_items) from history item to scored item; items that it says nothing of
    follow below all others, the popular ones first (see `followers`). See `history_matrix` for `last` and `decay`."""
    said = history_matrix(histories, len(backoff.values), last, decay) @ table
    positive = said.data > 0
    items = Ragged(said.indices.astype(np.int32), said.indptr.astype(np.int64)).where(positive)
    values = said.data[positive].astype(np.float32)
    told = np.flatnonzero(items.lengths)
    factors = np.zeros(len(items), np.float32)
    if len(told):
        factors[told] = np.minimum.reduceat(values, items.offsets[told])
    return Outline(backoff, factors, items, values)


def followers(popularity: Floats) -> Background:
    """What items are given of which a table says nothing: below 1, by popularity."""
    return Background((popularity / (popularity.max() + 1)).astype(np.float32))


def nearest(similarity: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """Only the k largest of each row, 0 keeps all; equal ones by column."""
    similarity.sort_indices()
    if not k:
        return similarity
    lengths = np.diff(similarity.indptr)
    row_of = np.repeat(np.arange(len(lengths)), lengths)
    long = np.flatnonzero(lengths[row_of] > k)
    order = long[np.lexsort((-similarity.data[long], row_of[long]))]  # stable: equal ones stay in order of columns
    first = np.cumsum(np.where(lengths > k, lengths, 0)) - lengths  # of each long row in that order
    kept = np.ones(len(row_of), np.bool_)
    kept[order[np.arange(len(order)) - first[row_of[order]] >= k]] = False
    offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, k))])
    return sparse.csr_matrix((similarity.data[kept], similarity.indices[kept], offsets), similarity.shape)
