"""Several retrievers to one: by the weighted sum of z-scores or of reciprocal ranks."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np

from palate.config import option, options
from palate.contracts import Retriever, Source
from palate.data.dataset import Dataset
from palate.errors import ConfigError
from palate.retrieve.dense import Dense
from palate.retrieve.scale import Outlining, Scale, Scaled, Weights, ranks, signals, z_scores
from palate.retrieve.tiles import MANY
from palate.retrieve.top import best, chosen, fitted, in_blocks
from palate.runtime import Runtime
from palate.types import NO_ITEM, Bools, Floats, Ints, Queries, Slate


@options
class FusedConfig:
    method: str = option("z-scores", "What is added up.", choices=("z-scores", "reciprocal-ranks"))
    rank_constant: float = option(60.0, "Added to each rank before it is inverted (reciprocal-ranks).", low=0.0)


@dataclass(frozen=True, eq=False)
class Fused:
    """The weighted sum of what several retrievers say.

    "z-scores": a member's scores for a request, less their mean over the catalogue, divided by their deviation.
    "reciprocal-ranks": 1 / (rank_constant + rank) for the first 1,000 places of each member; equal scores share the
    better rank, and the member's lowest score earns nothing.

    Which members a request hears: with a history all, by their weights; with a wish, or nothing at all, by
    `wish_weights`; where these have nothing to say, those that read popularity. A member that gives everything
    the same score has nothing to say.

    Reference: Cormack, Clarke and Büttcher (2009), Reciprocal rank fusion, SIGIR, section 2.

    members: the retrievers, unfitted before and fitted after `fit`
    weights: one per member for requests with a history; () is equal
    wish_weights: one per member for requests with a wish; () is equal for those that read text
    cold: (n_items,) the items that nobody liked, of which requests with a history hear otherwise; None is no item
    cold_weights, cold_shift: one weight per member for these, where the sum of `weights` counts 1, and what is added;
        () and 0 are as for the others
    newcomers: slates of the catalogue hold a cold item for every so many places, of people with a history and no wish,
        for a ranker to place; 0 is as their scores have it
    tells: the places of the members of which slates carry `signals`, for a ranker to read
    record: how the weights came about, plain values
    """

    config: FusedConfig = FusedConfig()
    members: tuple[Retriever, ...] = field(kw_only=True)
    weights: tuple[float, ...] = ()
    wish_weights: tuple[float, ...] = ()
    cold: Bools | None = None
    cold_weights: tuple[float, ...] = ()
    cold_shift: float = 0.0
    newcomers: int = 0
    tells: tuple[int, ...] = ()
    n_items_: int | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, given in (("weights", self.weights), ("wish_weights", self.wish_weights)):
            if given and (len(given) != len(self.members) or min(given) < 0 or sum(given) <= 0):
                wanted = f"one weight >= 0 for each of {len(self.members)} members, not all 0"
                raise ConfigError(f"Fused.{name}: {given} must be {wanted}")

    @property
    def reads(self) -> frozenset[Source]:
        return frozenset().union(*(member.reads for member in self.members))

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        return replace(self, members=tuple(one.fit(data, runtime) for one in self.members), n_items_=data.n_items)

    def scores(self, queries: Queries) -> Floats:
        return self._asked(queries)[0]

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        sole = self._sole if among is None else None
        return in_blocks(self._slate, queries, k, among) if sole is None else self._by_index(sole, queries, k)

    @property
    def _sole(self) -> Dense | None:
        """The only member that is heard, where an index spares it the scores of all items."""
        if self.tells or self.cold is not None or self.config.method != "z-scores":
            return None
        wish = self.wish_weights or self._readers("text")
        own = self.weights or (1.0,) * len(self.members)
        heard = [one for one, *each in zip(self.members, own, wish, strict=True) if any(each)]
        return heard[0] if len(heard) == 1 and isinstance(heard[0], Dense) and heard[0].indexed else None

    def _by_index(self, sole: Dense, queries: Queries, k: int) -> Slate:
        """What `_slate` gives where only this member is heard, as far as its index finds it."""
        mean, deviation = sole.spread(queries)
        told = deviation[:, 0] > 0
        rows = [np.flatnonzero(told), np.flatnonzero(~told)]
        times = queries.has_history.astype(np.float32) + (queries.has_wish | ~queries.has_history)
        near = sole.retrieve(queries.take(rows[0]), k)
        scores = (near.scores - mean[told]) / deviation[told] * times[told, None]
        parts = [Slate(near.items, scores), in_blocks(self._slate, queries.take(rows[1]), k)]
        return Slate.stack(parts, near.k).take(np.argsort(np.concatenate(rows)))

    def _slate(self, queries: Queries, k: int, among: Ints | None) -> Slate:
        scores, said = self._asked(queries)
        slate = chosen(scores, queries, k, among)
        if among is None and self.newcomers and self.cold is not None:
            slate = _with(best(np.where(self.cold, scores, -np.inf), queries, k // self.newcomers), slate, queries)
        if not self.tells:
            return slate
        telling = [(type(self.members[place]).__name__, said[place]) for place in self.tells]
        return replace(slate, signals=signals(telling, slate.items))

    def _asked(self, queries: Queries) -> tuple[Floats, dict[int, Scaled]]:
        """(B, n_items) the weighted sum, and what each member that was asked said, by its place."""
        asking = queries.has_wish | ~queries.has_history
        for_wish = _shares(self.wish_weights) if self.wish_weights else self._readers("text")
        own = _shares(self.weights or (1.0,) * len(self.members))
        weights, cold_weights = (
            queries.has_history[:, None] * each + asking[:, None] * for_wish
            for each in (own, np.array(self.cold_weights or own))
        )
        total, said = self._sum(queries, weights, cold_weights, self.tells)
        silent = ~total.any(axis=1)
        if silent.any():
            popularity = np.tile(self._readers("popularity"), (int(silent.sum()), 1))
            total[silent] = self._sum(queries.take(np.flatnonzero(silent)), popularity, popularity)[0]
        if self.cold is not None:
            total[np.ix_(queries.has_history & ~silent, self.cold)] += np.float32(self.cold_shift)
        return total, said

    def _sum(
        self, queries: Queries, weights: Weights, cold_weights: Weights, tells: tuple[int, ...] = ()
    ) -> tuple[Floats, dict[int, Scaled]]:
        """The same, weights (B, M); a member that no request hears is asked only where it is one of `tells`."""
        scale: Scale = z_scores
        if self.config.method == "reciprocal-ranks":
            scale = partial(ranks, constant=self.config.rank_constant)
        heard = [
            at for at in range(len(self.members)) if at in tells or weights[:, at].any() or cold_weights[:, at].any()
        ]
        said = self._said(scale, queries, heard)
        total, shifts = np.zeros((len(queries), fitted(self.n_items_, self)), np.float32), np.zeros(len(queries))
        cold = np.zeros(0, np.int64) if self.cold is None else np.flatnonzero(self.cold)
        among_cold = np.zeros((len(queries), len(cold)), np.float32)
        for place, one in said.items():
            one.add(weights[:, place], total)
            shifts += weights[:, place] * one.shifts
            if len(cold):
                other = cold_weights[:, place, None].astype(np.float32)
                among_cold += other * one.of(np.tile(cold, (len(queries), 1)))
        total += shifts.astype(np.float32)[:, None]
        total[:, cold] = among_cold
        return total, said

    def _said(self, scale: Scale, queries: Queries, places: Sequence[int]) -> dict[int, Scaled]:
        """What the members at these places say, in the order of places.

        Of a large catalogue those that outline it are asked in a thread beside the others, whose products take as long
        and need the interpreter as little.
        """
        outlining = [place for place in places if isinstance(self.members[place], Outlining)]
        others = [place for place in places if place not in outlining]

        def told(some: Sequence[int]) -> dict[int, Scaled]:
            return {place: scale(self.members[place], queries) for place in some}

        if not outlining or not others or fitted(self.n_items_, self) < MANY:
            return told(places)
        with ThreadPoolExecutor(1) as beside:
            behind = beside.submit(told, outlining)
            found = told(others) | behind.result()
        return {place: found[place] for place in places}

    def _readers(self, what: Source) -> Weights:
        """(M,) equal weights for the members that read `what`, sum 1 unless there are none."""
        reads = np.array([what in member.reads for member in self.members], np.float64)
        equal: Weights = reads / max(reads.sum(), 1)
        return equal


def _with(newcomers: Slate, slate: Slate, queries: Queries) -> Slate:
    """The slate with these items instead of its last ones, where a person has a history and no wish."""
    known = (newcomers.items[:, :, None] == slate.items[:, None, :]).any(axis=2)
    told = (queries.has_history & ~queries.has_wish)[:, None]
    new = np.where(told & ~known, newcomers.items, NO_ITEM)
    room = slate.k - np.count_nonzero(new != NO_ITEM, axis=1)
    kept = np.where(np.arange(slate.k) < room[:, None], slate.items, NO_ITEM)
    return Slate.best(np.hstack([kept, new]), np.hstack([slate.scores, newcomers.scores]), slate.k)


def _shares(weights: Sequence[float]) -> Weights:
    """(M,) the weights, sum 1."""
    found = np.array(weights, np.float64)
    shares: Weights = found / found.sum()
    return shares
