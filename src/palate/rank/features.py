"""The learned blend: boosted trees over what every retriever says of a candidate."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from palate.config import option, options
from palate.errors import ContractError, NotFittedError
from palate.types import NO_ITEM, Floats, Ints, Queries, Slate


@options
class FeatureRankerConfig:
    trees: int = option(150, "Trees of one booster.", low=1)
    leaves: int = option(7, "Leaves of a tree.", low=2)
    learning_rate: float = option(0.05, "Weight of a tree.", low=1e-4, high=1.0)
    least: int = option(50, "Candidates in a leaf, at least.", low=1)
    ridge: float = option(10.0, "Pull of the leaves towards 0.", low=0.0)
    boosters: int = option(3, "Boosters with seeds of their own, averaged.", low=1)


@dataclass(frozen=True, eq=False)
class FeatureRanker:
    """Candidates of people with a history, in the order that trees learned from held-out likes.

    Learned with LambdaRank: a tree moves candidates so that the liked item rises in NDCG@10. Only what retrievers say
    is read: no counts and no ids, because a tree that reads an item's count learns how the data were cut (in
    k-core data a rare item must be somebody's held-out like). Requests with a wish or without a history keep their
    order.

    Reference: Burges (2010), From RankNet to LambdaRank to LambdaMART, section 4; learned with LightGBM.

    boosters_: the trees, as LightGBM's text
    """

    config: FeatureRankerConfig = FeatureRankerConfig()
    boosters_: tuple[str, ...] = ()

    def learn(self, queries: Queries, slate: Slate, targets: Ints, seed: int) -> Self:
        """A ranker that learned from slates (B, K) of which the targets (B,) were liked; slates without theirs teach
        nothing. Returns `self` unchanged, not fitted, where none is left."""
        import lightgbm  # takes a second to load

        liked = (slate.items == targets[:, None]) & (slate.items != NO_ITEM)
        taught = np.flatnonzero(liked.any(axis=1))
        if not len(taught):
            return self
        real = slate.items[taught] != NO_ITEM
        rows = features(queries.take(taught), slate.take(taught))[real]
        table = lightgbm.Dataset(rows, liked[taught][real].astype(np.int8), group=real.sum(axis=1), free_raw_data=False)
        config = self.config
        chosen = {
            "objective": "lambdarank",
            "lambdarank_truncation_level": 30,
            "num_leaves": config.leaves,
            "learning_rate": config.learning_rate,
            "min_data_in_leaf": config.least,
            "lambda_l2": config.ridge,
            "feature_fraction": 0.7,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "bagging_by_query": True,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "num_threads": 1,
        }
        grown = [lightgbm.train({**chosen, "seed": seed + n}, table, config.trees) for n in range(config.boosters)]
        return replace(self, boosters_=tuple(booster.model_to_string() for booster in grown))

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        told = queries.has_history & ~queries.has_wish
        if not told.any():
            return slate
        rows = np.flatnonzero(told)
        part = slate.take(rows)
        scores = slate.scores.copy()
        real = part.items != NO_ITEM
        found = np.full(part.items.shape, -np.inf, np.float32)
        found[real] = self.scored(features(queries.take(rows), part)[real])
        scores[rows] = found
        return Slate.best(slate.items, scores, slate.k)

    def scored(self, rows: Floats) -> Floats:
        """(N,) the mean of the boosters for rows of features (N, F)."""
        total = np.zeros(len(rows))
        for booster in self._grown:
            total += np.asarray(booster.predict(rows, num_threads=1))
        return (total / len(self._grown)).astype(np.float32)

    @cached_property
    def _grown(self) -> list[Any]:
        if not self.boosters_:
            raise NotFittedError(
                "FeatureRanker: asked before it learned; call learn(queries, slate, targets, seed) first"
            )
        import lightgbm

        return [lightgbm.Booster(model_str=text) for text in self.boosters_]


def features(queries: Queries, slate: Slate) -> Floats:
    """(B, K, F) what trees read of a candidate: the history's length, the slate's score and its signals.

    Training and serving both come through here. Raises ContractError for a slate without signals.
    """
    if slate.signals is None:
        raise ContractError("FeatureRanker: the slate carries no signals; it needs a retriever that tells them")
    length = np.broadcast_to(queries.histories.lengths[:, None].astype(np.float32), slate.items.shape)
    return np.concatenate([length[:, :, None], slate.scores[:, :, None], slate.signals], axis=2)
