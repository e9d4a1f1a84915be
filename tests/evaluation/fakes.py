"""Retrievers whose right place in a comparison is known before they run."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from palate.pipeline import Recommender
from palate.types import Slate


@dataclass(frozen=True, eq=False)
class Fake:
    """Scores of every item for every request, by a named rule.

    popular: number of train events; taste: the shelf of the history first, then by row; noise: by a fixed hash.
    """

    rule: str
    counts_: np.ndarray | None = None
    reads: ClassVar[frozenset] = frozenset({"history"})

    def fit(self, data, runtime):
        return replace(self, counts_=np.bincount(data.events.item, minlength=data.n_items))

    def scores(self, queries):
        items = np.arange(len(self.counts_))
        if self.rule == "popular":
            return np.tile(self.counts_.astype(np.float32), (len(queries), 1))
        if self.rule == "taste":
            shelf = np.array([row[0] % 2 if len(row) else 0 for row in queries.histories])
            return ((items[None, :] % 2 == shelf[:, None]) * 100.0 - items / 100).astype(np.float32)
        return ((queries.users[:, None] * 7919 + items * 104729) % 1009 / 1009).astype(np.float32)

    def retrieve(self, queries, k, among=None):
        scores = self.scores(queries)
        if among is not None:
            return Slate.best(among, np.take_along_axis(scores, np.maximum(among, 0), axis=1), k)
        scores[queries.seen.row_of, queries.seen.values] = -np.inf
        return Slate.best(np.tile(np.arange(scores.shape[1], dtype=np.int32), (len(queries), 1)), scores, k)


def fit(recipe, data, runtime) -> Recommender:
    return Recommender(Fake(recipe).fit(data, runtime))


class Watched:
    """A recommender that remembers how many requests came at once."""

    def __init__(self, inner: Recommender):
        self.inner, self.sizes = inner, []

    def recommend(self, queries, k):
        self.sizes.append(len(queries))
        return self.inner.recommend(queries, k)
