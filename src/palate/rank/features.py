"""The learned blend: boosted trees over what every retriever says of a candidate."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from palate.config import option, options
from palate.errors import ContractError, NotFittedError
from palate.rank.forest import MOST_LEAVES, Forest
from palate.types import NO_ITEM, Bools, Floats, Ints, Queries, Signals, Slate

LENGTH = "history length"
SUM = "weighted sum"
COUNTS = "Popular: "  # what the retriever by popularity says, where a blend lets trees read it
EXPECTED = "expected"  # beside contributions: the score before anything is known of a candidate


@options
class FeatureRankerConfig:
    trees: int = option(150, "Trees of one booster.", low=1)
    leaves: int = option(7, "Leaves of a tree.", low=2, high=MOST_LEAVES)
    learning_rate: float = option(0.05, "Weight of a tree.", low=1e-4, high=1.0)
    least: int = option(50, "Candidates in a leaf, at least.", low=1)
    ridge: float = option(10.0, "Pull of the leaves towards 0.", low=0.0)
    boosters: int = option(3, "Boosters with seeds of their own, averaged.", low=1)


@dataclass(frozen=True, eq=False)
class FeatureRanker:
    """Candidates of people with a history by the weighted sum, which trees correct as held-out likes taught.

    Learned with LambdaRank from the sum on: a tree moves candidates so that the liked item rises in NDCG@10. Candidates
    that are like none of those learned from keep near the sum's order, since trees end where the sum goes on. Only what
    retrievers say is read, no ids and by default no counts: a tree that reads an item's count learns how the data were
    cut (in k-core data a rare item must be somebody's held-out like). An item never falls because a part that does more
    than count, or the sum of all, scores it higher. Requests with a wish or without a history keep their order.

    References: Burges (2010), From RankNet to LambdaRank to LambdaMART, section 4; Lundberg et al. (2020), From local
    explanations to global understanding with explainable AI for trees, Nature Machine Intelligence 2, on
    contributions. Both as in LightGBM.

    boosters_: the trees, as LightGBM's text
    scale_: what the sum's score counts beside them: with it the sum is the logit of the liked item among a slate's
    """

    config: FeatureRankerConfig = FeatureRankerConfig()
    boosters_: tuple[str, ...] = ()
    scale_: float = 1.0

    def learn(self, queries: Queries, slate: Slate, targets: Ints, seed: int, seconds: float = math.inf) -> Self:
        """A ranker that learned from slates (B, K) of which the targets (B,) were liked; slates without theirs teach
        nothing. Returns `self` unchanged, not fitted, where none is left.

        seconds: after so many no tree but a booster's first is begun; how many there are then hangs on the machine.
        """
        import lightgbm  # takes a second to load

        liked = (slate.items == targets[:, None]) & (slate.items != NO_ITEM)
        taught = np.flatnonzero(liked.any(axis=1))
        if not len(taught):
            return self
        real = slate.items[taught] != NO_ITEM
        read = features(queries.take(taught), slate.take(taught))
        scale = _logit_scale(np.where(real, slate.scores[taught], -np.inf), liked[taught])
        table = lightgbm.Dataset(
            read.values[real],
            liked[taught][real].astype(np.int8),
            group=real.sum(axis=1),
            init_score=scale * slate.scores[taught][real].astype(np.float64),
            free_raw_data=False,
        )
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
            "monotone_constraints": rising(read.names),
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "num_threads": 1,
        }
        start, grown = time.perf_counter(), []
        for n in range(config.boosters):
            late = _over(start + seconds * (n + 1) / config.boosters)
            grown.append(lightgbm.train({**chosen, "seed": seed + n}, table, config.trees, callbacks=[late]))
        return replace(self, boosters_=tuple(booster.model_to_string() for booster in grown), scale_=scale)

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        own = ordered(queries, slate)
        if not own.any():
            return slate
        scores = slate.scores.copy()
        corrections = _mean(self._forest.predict(features(queries, slate).values[own]))
        scores[own] = np.float32(self.scale_) * scores[own] + corrections
        return Slate.best(slate.items, scores, slate.k)

    def contributions(self, queries: Queries, slate: Slate) -> Signals:
        """What each feature adds to the score that `rank` gives an item, and the score expected of any: (B, K, F + 1).

        The sum's own share, and exact Shapley values of the trees (TreeSHAP; a feature that is not known takes both
        branches, by the share of training candidates that took them), the mean of the boosters. They sum to the score;
        zeros where `rank` keeps the slate's order, and for padding.
        """
        own, read = ordered(queries, slate), features(queries, slate)
        found = np.zeros((*own.shape, len(read.names) + 1), np.float32)
        if own.any():
            told = [booster.predict(read.values[own], num_threads=1, pred_contrib=True) for booster in self._grown]
            found[own] = _mean(told)
            found[own, read.names.index(SUM)] += np.float32(self.scale_) * slate.scores[own]
        return Signals((*read.names, EXPECTED), found)

    @cached_property
    def _forest(self) -> Forest:
        return Forest.of([booster.dump_model() for booster in self._grown])

    @cached_property
    def _grown(self) -> list[Any]:
        if not self.boosters_:
            raise NotFittedError(
                "FeatureRanker: asked before it learned; call learn(queries, slate, targets, seed) first"
            )
        import lightgbm

        return [lightgbm.Booster(model_str=text) for text in self.boosters_]


def _over(end: float) -> Callable[[Any], None]:
    """What ends LightGBM's training after the tree that is not ready before `end`."""
    from lightgbm.callback import EarlyStopException

    def late(told: Any) -> None:
        if time.perf_counter() > end:
            raise EarlyStopException(told.iteration, [])

    return late


def _mean(told: Sequence[Any]) -> Floats:
    """Of what each booster tells."""
    mean: Floats = np.mean(told, axis=0).astype(np.float32)
    return mean


def _logit_scale(scores: Floats, liked: Bools) -> float:
    """What scores (B, K), -inf where padded, are multiplied by to make the liked item of each row most likely."""
    own = scores[liked].astype(np.float64)

    def loss(scale: float) -> float:
        return float((logsumexp(scale * scores.astype(np.float64), axis=1) - scale * own).mean())

    return float(minimize_scalar(loss, bounds=(1e-3, 100.0), method="bounded").x)


def features(queries: Queries, slate: Slate) -> Signals:
    """(B, K, F) what trees read of a candidate: the history's length, the slate's score and its signals.

    Training and serving both come through here. Raises ContractError for a slate without signals.
    """
    if slate.signals is None:
        raise ContractError("FeatureRanker: the slate carries no signals; it needs a retriever that tells them")
    length = np.broadcast_to(queries.histories.lengths[:, None].astype(np.float32), slate.items.shape)
    values = np.concatenate([length[:, :, None], slate.scores[:, :, None], slate.signals.values], axis=2)
    return Signals((LENGTH, SUM, *slate.signals.names), values)


def rising(names: tuple[str, ...]) -> list[int]:
    """(F,) 1 for each feature with which an item's score may only rise, 0 for the history's length and for counts."""
    return [int(name != LENGTH and not name.startswith(COUNTS)) for name in names]


def ordered(queries: Queries, slate: Slate) -> Bools:
    """(B, K) the items that rankers by history put in order: those of people with a history and without a wish."""
    told = queries.has_history & ~queries.has_wish
    marked: Bools = told[:, None] & (slate.items != NO_ITEM)
    return marked
