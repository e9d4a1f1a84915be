"""Several retrievers to one: options, weights and trees learned from held-out likes, each only if it helps."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from palate.config import option, options
from palate.contracts import Ranker, Retriever, Trainer
from palate.data.dataset import Dataset
from palate.rank.features import FeatureRanker
from palate.rank.newcomers import Newcomers
from palate.retrieve.fuse import Fused
from palate.retrieve.scale import standardised
from palate.retrieve.top import BLOCK, best
from palate.runtime import Runtime
from palate.train.holdout import ENOUGH, hold_out, pretend_cold, quality
from palate.train.logit import Weights, conditional_logit
from palate.train.search import Found, chosen, has_choices, within
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate

T = TypeVar("T")

PER_MEMBER = 50  # candidates that each retriever brings to learn weights from
PER_MEMBER_COLD = 10  # of these, at least, among the items that play cold ones
PRETENDED = 0.03  # share of liked items that do


@options
class BlendConfig:
    held_out: int = option(6000, "People whose last like teaches the blend, at most half of all.", low=1)
    breadth: int = option(200, "Candidates that trees put in order.", low=1)
    trees: bool = option(True, "Whether trees are tried on top of the weighted sum.")
    counts: bool = option(
        False,
        "Whether trees read popularity too; where data are cut by user counts they then learn the cut, not people.",
    )
    newcomers: int = option(
        10, "At least one of so many places is for items that nobody liked yet, by their texts; 0 keeps none.", low=0
    )
    seconds: float = option(math.inf, "Time for all of fitting, about; results then hang on the machine.", low=0.0)


@dataclass(frozen=True, eq=False)
class Blend:
    """Learns how to put retrievers together.

    The last like of some people is held out and the members are fitted on the rest. Where the catalogue has items that
    nobody liked, a few others lose all their events there, so that it can be learned whom to ask about such items, and
    where these stand among the others. There each member's options are chosen (see `chosen`), then weights are learned
    (conditional logit), then trees that correct the weighted sum (LambdaRank). The people are halved and each half is
    asked with what the other half taught; of the best member alone, the weighted sum and the trees the one with the
    best NDCG@10 is used, of equals the simplest. Items that nobody liked keep a share of the places, whatever they
    score, where weights for them were learned; what that costs is written down. Last, the members that are heard are
    fitted on everything. With fewer than 20 people nothing is learned and the weights are equal; a single member
    without options to choose is only fitted.

    Within `seconds` each member in turn has an even share of the time that is left, for its search and for the fit on
    everything; a network trains for as long. One that took longer than what is left is left out.

    members: retrievers, unfitted
    wish_weights: see `Fused`
    standby: answers where no member has anything to say, if no member reads popularity
    """

    config: BlendConfig = BlendConfig()
    members: tuple[Retriever, ...] = field(kw_only=True)
    wish_weights: tuple[float, ...] = ()
    standby: Retriever | None = None
    ranker: FeatureRanker = FeatureRanker()

    def fit(self, data: Dataset, runtime: Runtime) -> tuple[Fused, tuple[Ranker, ...]]:
        """The retriever, with the record of what was decided, and the rankers to put after it."""
        end = time.perf_counter() + self.config.seconds
        if len(self.members) == 1 and not has_choices(self.members[0]):
            return self._as_given(data, runtime, {}), ()
        n_people = min(self.config.held_out, data.n_users // 2)
        rest, queries, targets = hold_out(data, n_people, runtime.rng("fused"))
        cold = np.bincount(data.events.item[data.events.liked], minlength=data.n_items) == 0
        pretended = np.zeros_like(cold)
        if cold.any() and "text" in Fused(members=self.members).reads:
            rest, pretended = pretend_cold(rest, PRETENDED, runtime.rng("fused cold"))
            queries = rest.queries(queries.users)
            told = np.flatnonzero(queries.has_history)
            queries, targets = queries.take(told), targets[told]
        if len(queries) < ENOUGH:
            return self._as_given(data, runtime, {"members": _names(self.members), "held_out": len(queries)}), ()
        found: list[Found] = []
        for place, member in enumerate(self.members):
            share = _left(end) / (len(self.members) - place + 1)
            found.append(chosen(member, rest, queries, targets, runtime, share))
        in_time = [place for place, one in enumerate(found) if one.trials[0].seconds <= _left(end)] or [0]
        blend, found = self._only(in_time), [found[place] for place in in_time]
        fused, rankers, numbers = _Lesson(blend, found, queries, targets, pretended, runtime).learned()
        heard = _heard(fused)
        fused = replace(
            fused,
            members=tuple(_on_everything(found[place], data, runtime) for place in heard),
            tells=tuple(heard.index(place) for place in fused.tells),
            weights=_at(fused.weights, heard),
            wish_weights=_at(fused.wish_weights, heard),
            cold=cold if fused.cold_weights else None,
            cold_weights=_at(fused.cold_weights, heard),
            record={
                "members": _names(self.members),
                "too_slow": _names(self.members[place] for place in range(len(self.members)) if place not in in_time),
                "not_needed": _names(blend.members[place] for place in range(len(found)) if place not in heard),
                "held_out": len(queries),
                **numbers,
                "trials": tuple(asdict(trial) for one in found for trial in one.trials),
            },
        )
        return self._with_standby(fused, data, runtime), rankers

    def _only(self, places: Sequence[int]) -> "Blend":
        """The same with these members."""
        wish_weights = _at(self.wish_weights, places)
        return replace(self, members=_at(self.members, places), wish_weights=wish_weights if any(wish_weights) else ())

    def _as_given(self, data: Dataset, runtime: Runtime, record: Mapping[str, Any]) -> Fused:
        """The members as they are, with equal weights."""
        members = tuple(within(member, self.config.seconds / len(self.members)) for member in self.members)
        fused = Fused(members=members, wish_weights=self.wish_weights, record=record).fit(data, runtime)
        return self._with_standby(fused, data, runtime)

    def _with_standby(self, fused: Fused, data: Dataset, runtime: Runtime) -> Fused:
        if self.standby is None or "popularity" in fused.reads:
            return fused
        weights = (*(fused.weights or (1.0,) * len(fused.members)), 0.0)
        wish_weights = (*fused.wish_weights, 0.0) if fused.wish_weights else ()
        cold_weights = (*fused.cold_weights, 0.0) if fused.cold_weights else ()
        members = (*fused.members, self.standby.fit(data, runtime))
        return replace(fused, members=members, weights=weights, wish_weights=wish_weights, cold_weights=cold_weights)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What a blend learns from: its members as found, the held-out requests, and what these people liked next.

    cold: (n_items,) the items that play cold ones
    """

    blend: Blend
    found: Sequence[Found]
    queries: Queries
    targets: Ints
    cold: Bools
    runtime: Runtime

    @property
    def members(self) -> tuple[Retriever, ...]:
        return tuple(one.fitted for one in self.found)

    def learned(self) -> tuple[Fused, tuple[Ranker, ...], dict[str, Any]]:
        """What is used, learned from everybody, and the numbers of the decision."""
        examples, alone = _examples(self.members, self.queries, self.targets, self.cold)
        best = int(np.argmax(alone))
        ways, slates = {"best part": alone[best]}, dict[str, Slate]()
        if len(self.members) > 1:
            slates["weighted sum"] = self._crossed(examples)
            if self.blend.config.trees:
                slates["trees"] = self._crossed_trees(slates["weighted sum"])
        ways |= {way: self._quality(slate) for way, slate in slates.items()}
        used = max(ways, key=lambda way: ways[way])  # of equals the first, which is the simplest
        weights = Weights(np.eye(len(self.members))[best]) if used == "best part" else examples.weights()
        rankers = (self._trees(slates["weighted sum"]),) if used == "trees" else ()
        fused = self._fused(weights, tells=used == "trees")
        numbers: dict[str, Any] = {"alone": alone, "ndcg@10": ways, "used": used, "weights": fused.weights}
        if fused.cold_weights:
            numbers |= {"cold_weights": fused.cold_weights, "cold_shift": fused.cold_shift}
        if fused.newcomers:
            kept = Newcomers(fused.newcomers, self.cold).rank(self.queries, slates[used])
            numbers["newcomers"] = {"every": fused.newcomers, "ndcg@10": self._quality(kept)}
        return fused, rankers, numbers

    def _crossed(self, examples: "_Examples") -> Slate:
        """(N, breadth) what each half is shown with weights from the other, with signals, in the order of requests."""
        parts = []
        for half in self._halves:
            fused = self._fused(examples.weights(np.setdiff1d(np.arange(len(self.queries)), half)), tells=True)
            parts.append(fused.retrieve(self.queries.take(half), self.blend.config.breadth))
        return Slate.stack(parts, parts[0].k).take(np.argsort(np.concatenate(self._halves)))

    def _crossed_trees(self, slate: Slate) -> Slate:
        """The same in the order of trees that learned from the other half, or as it is where that taught nothing."""
        parts = []
        for half in self._halves:
            ranker, own = self._trees(slate, np.setdiff1d(np.arange(len(self.queries)), half)), slate.take(half)
            parts.append(ranker.rank(self.queries.take(half), own) if ranker.boosters_ else own)
        return Slate.stack(parts, slate.k).take(np.argsort(np.concatenate(self._halves)))

    def _trees(self, slate: Slate, rows: Longs | None = None) -> FeatureRanker:
        """Trees that learned from these requests, or from all."""
        rows = np.arange(len(slate)) if rows is None else rows
        seed = int(self.runtime.rng("trees").integers(2**31))
        return self.blend.ranker.learn(self.queries.take(rows), slate.take(rows), self.targets[rows], seed)

    def _fused(self, weights: Weights, *, tells: bool) -> Fused:
        return Fused(
            members=self.members,
            weights=tuple(weights.own.tolist()),
            wish_weights=self.blend.wish_weights,
            cold=self.cold,
            cold_weights=() if weights.cold is None else tuple(weights.cold.tolist()),
            cold_shift=weights.shift,
            newcomers=0 if weights.cold is None else self.blend.config.newcomers,
            tells=self._telling if tells else (),
            n_items_=len(self.cold),
        )

    def _quality(self, slate: Slate) -> float:
        return float(quality(slate.top(10), self.targets).mean())

    @property
    def _telling(self) -> tuple[int, ...]:
        """The places of the members that trees read."""
        counts = self.blend.config.counts
        return tuple(place for place, one in enumerate(self.members) if counts or one.reads != {"popularity"})

    @property
    def _halves(self) -> tuple[Longs, Longs]:
        people = np.arange(len(self.queries))
        return people[::2], people[1::2]


@dataclass(frozen=True, eq=False)
class _Examples:
    """What a conditional logit learns from.

    features: (N, C, M) the z-scores of each request's candidates, the target first; real, cold: (N, C) which of them
    are, and which play cold items; rows: (N,) which request each is
    """

    features: Floats
    real: Bools
    cold: Bools
    rows: Longs

    def weights(self, requests: Longs | None = None) -> Weights:
        """Learned from these requests, or from all; with too few cold answers none of their own for cold items."""
        of = np.ones(len(self.rows), np.bool_) if requests is None else np.isin(self.rows, requests)
        cold = self.cold[of]
        if np.count_nonzero(cold[:, 0]) < ENOUGH:
            cold = np.zeros_like(cold)
        return conditional_logit(self.features[of], self.real[of], cold)


def _examples(
    members: Sequence[Retriever], queries: Queries, targets: Ints, cold: Bools
) -> tuple[_Examples, tuple[float, ...]]:
    """Examples, and the NDCG@10 of each member alone.

    Candidates are the best unseen items of each member, and its best cold ones; a request whose target is not among
    them teaches nothing.
    """
    features, real, unknown, taught, alone = [], [], [], [], []
    few = np.flatnonzero(cold).astype(np.int32)
    for rows in np.split(np.arange(len(queries)), range(BLOCK, len(queries), BLOCK)):
        block, target = queries.take(rows), targets[rows, None]
        said = [standardised(member.scores(block)) for member in members]
        slates = [best(scores, block, PER_MEMBER) for scores in said]
        alone.append(np.stack([quality(slate.top(10), targets[rows]) for slate in slates]))
        apart = [Slate.best(np.tile(few, (len(rows), 1)), scores[:, few], PER_MEMBER_COLD) for scores in said]
        found = np.hstack([slate.items for slate in (*slates, *apart)])
        reached = (found == target).any(axis=1)
        found = np.sort(np.where(found == target, NO_ITEM, found), axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = NO_ITEM  # brought by two members
        items = np.hstack([target, found])[reached]
        features.append(np.stack([np.take_along_axis(scores[reached], items, axis=1) for scores in said], axis=2))
        real.append(items != NO_ITEM)
        unknown.append(cold[items] & real[-1])
        taught.append(rows[reached])
    return (
        _Examples(*map(np.concatenate, (features, real, unknown, taught))),
        tuple(np.concatenate(alone, axis=1).mean(axis=1).tolist()),
    )


def _left(end: float) -> float:
    """The seconds until then, 0 after it."""
    return max(0.0, end - time.perf_counter())


def _heard(fused: Fused) -> list[int]:
    """The places of members that some request may hear."""
    for_wish = fused.wish_weights or tuple("text" in one.reads for one in fused.members)
    return [place for place, own in enumerate(fused.weights) if own or for_wish[place] or place in fused.tells]


def _at(values: Sequence[T], places: Sequence[int]) -> tuple[T, ...]:
    """The values at these places; () where there are none."""
    return tuple(values[place] for place in places) if values else ()


def _names(members: Iterable[Retriever]) -> tuple[str, ...]:
    return tuple(type(one).__name__ for one in members)


def _on_everything(found: Found, data: Dataset, runtime: Runtime) -> Retriever:
    """The part with its chosen options, fitted on all data."""
    part: Retriever | Trainer = found.part
    return part.refit(found.fitted, data, runtime) if isinstance(part, Trainer) else part.fit(data, runtime)
