"""Held-out likes to weights and trees: what a blend of fitted retrievers learns."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from palate.config import option, options, worth_trying
from palate.contracts import Ranker, Retriever
from palate.rank.features import FeatureRanker
from palate.rank.newcomers import Newcomers
from palate.retrieve.fuse import Fused
from palate.runtime import Runtime
from palate.train.choices import ANYWHERE, Choices, among_cold, anywhere, from_catalogue, from_lists
from palate.train.holdout import Asked, quality
from palate.train.logit import Weights
from palate.train.search import JUDGES
from palate.types import Bools, Ints, Longs, Queries, Slate


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
    reader: str = option(
        "catalogue",
        "What a reader (cross-encoder, llm) learns from and reads: lists of the catalogue, or short ones from outside.",
        choices=("catalogue", "lists"),
    )
    seconds: float = option(math.inf, "Time for all of fitting, about; results then hang on the machine.", low=0.0)


class Stages(NamedTuple):
    """A retriever, what ranks after it, and what puts short lists from outside in order instead of both."""

    retriever: Fused
    rankers: tuple[Ranker, ...] = ()
    lists: "Stages | None" = None


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a blend learns from: members fitted without the held-out likes, the requests, and what was liked next.

    cold: (n_items,) the items that play cold ones; wish_weights: see `Fused`; ranker: trees that may be tried;
    newest: further people who liked one of these next; end: when all must be learned, by `time.perf_counter`
    """

    config: BlendConfig
    members: tuple[Retriever, ...]
    wish_weights: tuple[float, ...]
    ranker: FeatureRanker
    queries: Queries
    targets: Ints
    cold: Bools
    runtime: Runtime
    newest: Asked | None = None
    end: float = math.inf

    def learned(self) -> tuple[Stages, Slate, dict[str, Any]]:
        """What is used, learned from everybody; what each half is shown by it as the other half taught; and the numbers
        of the decision."""
        choices, alone = from_catalogue(self.members, self.queries, self.targets, self.cold)
        if self.newest and len(self.newest.queries):
            choices = choices.joined_by(among_cold(self.members, *self.newest, self.cold))
        best = int(np.argmax(alone))
        ways, slates = {"best part": alone[best]}, dict[str, Slate]()
        if len(self.members) > 1:
            slates["weighted sum"] = self._crossed(choices)
            if self._time_for_trees:
                slates["trees"] = self._crossed_trees(slates["weighted sum"])
        ways |= {way: self._quality(slate) for way, slate in slates.items()}
        used = max(ways, key=lambda way: ways[way])  # of equals the first, which is the simplest
        weights = Weights(np.eye(len(self.members))[best]) if used == "best part" else choices.weights()
        rankers = (self._trees(slates["weighted sum"]),) if used == "trees" else ()
        fused = self._fused(weights, tells=used == "trees")
        numbers: dict[str, Any] = {"alone": alone, "ndcg@10": ways, "used": used, "weights": fused.weights}
        if fused.cold_weights:
            numbers |= {"cold_weights": fused.cold_weights, "cold_shift": fused.cold_shift}
        if fused.newcomers:
            kept = Newcomers(fused.newcomers, self.cold).rank(self.queries, slates[used])
            numbers["newcomers"] = {"every": fused.newcomers, "ndcg@10": self._quality(kept)}
        shown = slates[used] if used in slates else fused.retrieve(self.queries, self.config.breadth)
        return Stages(fused, rankers), shown, numbers

    def for_lists(self, fused: Fused, rankers: Sequence[Ranker]) -> tuple[Stages | None, Slate, dict[str, Any]]:
        """What puts short lists from outside in order where that is better than `fused` and the rankers; what the first
        of the requests are shown of such lists by the better one, as the other half taught it; and numbers.

        What tells the first places of a catalogue apart is not what tells any item from any other, so options that
        only asking reads, weights and trees are learned once more, from lists of a liked item and others from anywhere.
        """
        few = replace(self, queries=self.queries.take(slice(JUDGES)), targets=self.targets[:JUDGES])
        rng = self.runtime.rng("lists")
        others = anywhere(few.queries, few.targets, self.cold, rng)
        lists = rng.permuted(np.hstack([few.targets[:, None], others]), axis=1)
        slate = fused.retrieve(few.queries, lists.shape[1], lists)
        for ranker in rankers:
            slate = ranker.rank(few.queries, slate)
        few = replace(few, members=tuple(few._asked_best(member, lists) for member in self.members))
        choices = from_lists(few.members, few.queries, few.targets, others, self.cold)
        several = len(self.members) > 1
        own = few._crossed(choices, lists)
        slates = {"as in the catalogue": slate, "weighted sum" if several else "options of their own": own}
        if self._time_for_trees and several:
            slates["trees"] = few._crossed_trees(own)
        ways = {way: few._quality(found) for way, found in slates.items()}
        used = max(ways, key=lambda way: ways[way])  # of equals the simplest
        numbers: dict[str, Any] = {"of": ANYWHERE + 1, "ndcg@10": ways, "used": used}
        if used == "as in the catalogue":
            return None, slate, numbers
        found = replace(few._fused(choices.weights(), tells=used == "trees"), newcomers=0)
        trees = (few._trees(own),) if used == "trees" else ()
        return Stages(found, trees), slates[used], {**numbers, "weights": found.weights}

    def _asked_best(self, member: Any, lists: Ints) -> Any:
        """The member with those options that only asking reads with which it is best on these lists."""
        best, most = member, self._quality(member.retrieve(self.queries, 10, lists))
        for name, value, asking in worth_trying(member.config):
            if not asking:
                continue
            other = replace(best, config=replace(best.config, **{name: value}))
            if (found := self._quality(other.retrieve(self.queries, 10, lists))) > most:
                best, most = other, found
        return best

    def _crossed(self, choices: Choices, lists: Ints | None = None) -> Slate:
        """(N, breadth) what each half is shown of the catalogue, or of lists (N, K), with weights from the other half;
        with signals, in the order of requests."""
        parts = []
        for half in self._halves:
            fused = self._fused(choices.weights(np.setdiff1d(np.arange(len(self.queries)), half)), tells=True)
            k = self.config.breadth if lists is None else lists.shape[1]
            parts.append(fused.retrieve(self.queries.take(half), k, None if lists is None else lists[half]))
        return self._in_order(parts)

    def _crossed_trees(self, slate: Slate) -> Slate:
        """The same in the order of trees that learned from the other half, or as it is where that taught nothing."""
        parts = []
        for half in self._halves:
            ranker, own = self._trees(slate, np.setdiff1d(np.arange(len(self.queries)), half)), slate.take(half)
            parts.append(ranker.rank(self.queries.take(half), own) if ranker.boosters_ else own)
        return self._in_order(parts)

    def _in_order(self, halves: Sequence[Slate]) -> Slate:
        """Slates of the two halves in the order of requests."""
        return Slate.stack(halves, halves[0].k).take(np.argsort(np.concatenate(self._halves)))

    def _trees(self, slate: Slate, rows: Longs | None = None) -> FeatureRanker:
        """Trees that learned from these requests, or from all, in a quarter of the time that is left."""
        rows = np.arange(len(slate)) if rows is None else rows
        seed = int(self.runtime.rng("trees").integers(2**31))
        quarter = (self.end - time.perf_counter()) / 4
        return self.ranker.learn(self.queries.take(rows), slate.take(rows), self.targets[rows], seed, quarter)

    @property
    def _time_for_trees(self) -> bool:
        return self.config.trees and time.perf_counter() < self.end

    def _fused(self, weights: Weights, *, tells: bool) -> Fused:
        return Fused(
            members=self.members,
            weights=tuple(weights.own.tolist()),
            wish_weights=self.wish_weights,
            cold=self.cold,
            cold_weights=() if weights.cold is None else tuple(weights.cold.tolist()),
            cold_shift=weights.shift,
            newcomers=0 if weights.cold is None else self.config.newcomers,
            tells=self._telling if tells else (),
            n_items_=len(self.cold),
        )

    def _quality(self, slate: Slate) -> float:
        return float(quality(slate.top(10), self.targets).mean())

    @property
    def _telling(self) -> tuple[int, ...]:
        """The places of the members that trees read."""
        counts = self.config.counts
        return tuple(place for place, one in enumerate(self.members) if counts or one.reads != {"popularity"})

    @property
    def _halves(self) -> tuple[Longs, Longs]:
        people = np.arange(len(self.queries))
        return people[::2], people[1::2]
