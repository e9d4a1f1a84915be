"""Several retrievers to one: by reciprocal rank, by given weights, or by weights learned from held-out likes."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.config import option, options
from palate.contracts import Retriever, Source
from palate.data.dataset import Dataset
from palate.errors import ConfigError
from palate.retrieve.blend import hold_out, learned_weights
from palate.retrieve.scale import reciprocal_ranks, standardised, weighted_sum
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Queries, Slate

ENOUGH = 20  # held-out people needed to learn weights


@options
class FusedConfig:
    method: str = option("fitted", "How members are weighed.", choices=("rrf", "fixed", "fitted"))
    held_out: int = option(2000, "People whose last like the weights are learned from, at most (fitted).", low=1)
    rrf_constant: float = option(60.0, "Added to each rank before it is inverted (rrf).", low=0.0)


@dataclass(frozen=True, eq=False)
class Fused:
    """The weighted sum of what several retrievers say.

    Methods "fixed" and "fitted" add z-scores: a member's scores for a request, less their mean over the catalogue,
    divided by their deviation. Method "rrf" adds 1 / (rrf_constant + rank) for the first 1,000 places of each
    member; equal scores share the better rank, and the member's lowest score earns nothing.

    Which members a request hears: with a history all, by their weights; with a wish, or nothing at all, by
    `wish_weights`; where these have nothing to say, those that read popularity. A member that gives everything
    the same score has nothing to say.

    "fitted" holds out the last like of some people and fits the members on the rest: these likes teach the weights
    (conditional logit). Each half is checked with weights learned from the other; where the blend's NDCG@10 is below
    that of the best member, that member alone is used. With fewer than 20 such people the weights are equal.
    `record_` tells which, with the numbers. Last, the members are fitted on everything.

    Reference: Cormack, Clarke and Büttcher (2009), Reciprocal rank fusion, SIGIR, section 2.

    members: the retrievers, unfitted before and fitted after `fit`
    weights: one per member for "rrf" and "fixed"; () is equal
    wish_weights: one per member for requests with a wish; () is equal for those that read text
    weights_: (M,) for requests with a history, sum 1
    record_: how "fitted" came to its weights, plain values
    """

    config: FusedConfig = FusedConfig()
    members: tuple[Retriever, ...] = field(kw_only=True)
    weights: tuple[float, ...] = ()
    wish_weights: tuple[float, ...] = ()
    weights_: NDArray[np.float64] | None = None
    n_items_: int = 0
    record_: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> frozenset[Source]:
        return frozenset().union(*(member.reads for member in self.members))

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        for name, given in (("weights", self.weights), ("wish_weights", self.wish_weights)):
            if given and (len(given) != len(self.members) or min(given) < 0 or sum(given) <= 0):
                wanted = f"one weight >= 0 for each of {len(self.members)} members, not all 0"
                raise ConfigError(f"Fused.{name}: {given} must be {wanted}")
        weights = np.array(self.weights or (1.0,) * len(self.members))
        weights = weights / weights.sum()
        record: Mapping[str, Any] = {}
        if self.config.method == "fitted":
            weights, record = self._learned(data, runtime)
        members = tuple(member.fit(data, runtime) for member in self.members)
        return replace(self, members=members, weights_=weights, n_items_=data.n_items, record_=record)

    def scores(self, queries: Queries) -> Floats:
        weights = fitted(self.weights_, self)
        asking = queries.has_wish | ~queries.has_history
        for_wish = np.array(self.wish_weights) / sum(self.wish_weights) if self.wish_weights else self._readers("text")
        scores = self._sum(queries, queries.has_history[:, None] * weights + asking[:, None] * for_wish)
        silent = np.flatnonzero(~scores.any(axis=1))
        if len(silent):
            scores[silent] = self._sum(queries.take(silent), np.tile(self._readers("popularity"), (len(silent), 1)))
        return scores

    def retrieve(self, queries: Queries, k: int) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k)

    def _readers(self, what: Source) -> NDArray[np.float64]:
        """(M,) equal weights for the members that read `what`, sum 1 unless there are none."""
        reads = np.array([what in member.reads for member in self.members], np.float64)
        equal: NDArray[np.float64] = reads / max(reads.sum(), 1)
        return equal

    def _sum(self, queries: Queries, weights: NDArray[np.float64]) -> Floats:
        """(B, n_items) the weighted sum, weights (B, M)."""
        scale = standardised
        if self.config.method == "rrf":
            scale = partial(reciprocal_ranks, constant=self.config.rrf_constant)
        return weighted_sum(self.members, weights, queries, self.n_items_, scale)

    def _learned(self, data: Dataset, runtime: Runtime) -> tuple[NDArray[np.float64], Mapping[str, Any]]:
        """The weights of method "fitted", and the record of how they came about."""
        rest, queries, targets = hold_out(data, self.config.held_out, runtime.rng("fused"))
        if len(queries) < ENOUGH:
            weights, numbers = np.full(len(self.members), 1 / len(self.members)), {"passed": False}
        else:
            members = tuple(member.fit(rest, runtime) for member in self.members)
            weights, numbers = learned_weights(members, queries, targets, data.n_items)
        names = tuple(type(member).__name__ for member in self.members)
        return weights, {"members": names, "weights": tuple(weights.tolist()), "held_out": len(queries), **numbers}
