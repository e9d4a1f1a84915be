"""Several retrievers to one: options, weights and trees learned from held-out likes, each only if it helps."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from palate.contracts import ListTrainer, Retriever, Trainer
from palate.data.dataset import Dataset
from palate.rank.features import FeatureRanker
from palate.retrieve.fuse import Fused
from palate.runtime import Runtime, give_back_memory
from palate.train.holdout import ENOUGH, Asked, hold_out, pretend_cold
from palate.train.lesson import BlendConfig, Lesson, Stages
from palate.train.search import JUDGES, Found, chosen, has_choices, within
from palate.types import Bools, Ints, Queries

T = TypeVar("T")

PRETENDED = 0.03  # share of liked items that play cold ones
NEWEST = 2000  # people, at most, of whom it is only read which of these they took


@dataclass(frozen=True, eq=False)
class Blend:
    """Learns how to put retrievers together.

    The last like of some people is held out and the members are fitted on the rest. Where the catalogue has items that
    nobody liked, a few others lose all their events there, so that it can be learned whom to ask about such items, and
    where these stand among the others; which of them are chosen is also learned from people whose newest like was of
    one. There each member's options are chosen (see `chosen`), then weights are learned
    (conditional logit), then trees that correct the weighted sum (LambdaRank). The people are halved and each half is
    asked with what the other half taught; of the best member alone, the weighted sum and the trees the one with the
    best NDCG@10 is used, of equals the simplest. Items that nobody liked keep a share of the places, whatever they
    score, where weights for them were learned; what that costs is written down. Short lists given from outside have
    options and weights of their own where these are better. Last, the members that are heard are fitted on
    everything. With fewer than 20 people nothing is learned and the weights are equal; a single member without options
    to choose is only fitted.

    Within `seconds` each member in turn has an even share of the time that is left, but for what fitting those before
    it on everything takes, for its search and for that fit of its own; a network trains for as long. Those for which no
    time is left are left out, of those that were tried the slowest first.

    members: retrievers, unfitted
    wish_weights: see `Fused`
    standby: answers where no member has anything to say, if no member reads popularity
    reader: a ranker by texts that is tuned and tried last, on what the held-out people are shown: of the catalogue, or
        of lists from outside, which `BlendConfig.reader` says; lists of the other kind it does not read
    """

    config: BlendConfig = BlendConfig()
    members: tuple[Retriever, ...] = field(kw_only=True)
    wish_weights: tuple[float, ...] = ()
    standby: Retriever | None = None
    ranker: FeatureRanker = FeatureRanker()
    reader: ListTrainer | None = None

    def fit(self, data: Dataset, runtime: Runtime) -> Stages:
        """The retriever, with the record of what was decided, the rankers to put after it, and both for short lists."""
        end = time.perf_counter() + self.config.seconds
        if len(self.members) == 1 and not has_choices(self.members[0]) and not self.reader:
            return Stages(self._as_given(data, runtime, {}))
        cold = np.bincount(data.events.item[data.events.liked], minlength=data.n_items) == 0
        rest, queries, targets, pretended, newest = self._held_out(data, cold, runtime)
        if len(queries) < ENOUGH:
            return Stages(self._as_given(data, runtime, {"members": _names(self.members), "held_out": len(queries)}))
        # a lesson asks everybody twice, the judges twice about short lists, and those who liked newcomers
        often = 2 * (len(queries) + min(len(queries), JUDGES)) + (len(newest.queries) if newest else 0)
        in_time, tried = self._in_time(rest, queries, targets, runtime, end, often)
        blend, found = self._only(in_time), [tried[place] for place in in_time]
        fitted = tuple(one.fitted for one in found)
        ready = end - sum(one.again for one in found)
        taught = queries, targets, pretended, runtime, newest, ready
        lesson = Lesson(self.config, fitted, blend.wish_weights, self.ranker, *taught)
        (fused, rankers, _), shown, numbers = lesson.learned()
        give_back_memory()
        lists, given, numbers["lists"] = lesson.for_lists(fused, rankers)
        reader, reads_lists = None, self.config.reader == "lists"
        if self.reader:
            shown = given if reads_lists else shown
            asked = queries.take(slice(len(shown))), shown, targets[: len(shown)]
            reader, numbers["reader"] = None, {"used": False, "reason": "no time is left to train it"}
            if left := _left(ready):
                reader, numbers["reader"] = self.reader.within(left).taught(rest, *asked, runtime)
            lists = lists or Stages(fused, rankers)  # what the reader does to lists of the other kind nobody asked
        heard = sorted({*_heard(fused), *(_heard(lists.retriever) if lists else ())})
        members = {place: _on_everything(found[place], data, runtime) for place in heard}
        record = {
            "members": _names(self.members),
            "too_slow": _names(self.members[place] for place in range(len(self.members)) if place not in in_time),
            "not_needed": _names(blend.members[place] for place in range(len(found)) if place not in heard),
            "held_out": len(queries),
            **numbers,
            **_tuned([one.part for one in found], fitted),
            "trials": tuple(asdict(trial) for one in tried.values() for trial in one.trials),
        }

        def served(one: Fused) -> Fused:
            return self._with_standby(_served(one, fitted, members, cold), data, runtime)

        last = (reader,) if reader else ()
        outside = Stages(served(lists.retriever), (*lists.rankers, *(last if reads_lists else ()))) if lists else None
        return Stages(replace(served(fused), record=record), (*rankers, *(() if reads_lists else last)), outside)

    def _held_out(
        self, data: Dataset, cold: Bools, runtime: Runtime
    ) -> tuple[Dataset, Queries, Ints, Bools, Asked | None]:
        """The data without what teaches the blend, the requests and what was liked next, (n_items,) the items that
        play cold ones, and further people who liked one of these next."""
        n_people = min(self.config.held_out, data.n_users // 2)
        rest, queries, targets = hold_out(data, n_people, runtime.rng("fused"))
        if not cold.any() or "text" not in Fused(members=self.members).reads:
            return rest, queries, targets, np.zeros_like(cold), None
        rest, pretended, newest = pretend_cold(rest, PRETENDED, NEWEST, runtime.rng("fused cold"))
        queries = rest.queries(queries.users)
        told = np.flatnonzero(queries.has_history)
        return rest, queries.take(told), targets[told], pretended, newest

    def _in_time(
        self, rest: Dataset, queries: Queries, targets: Ints, runtime: Runtime, end: float, often: int
    ) -> tuple[list[int], dict[int, Found]]:
        """The places of the members that there is time to ask so often and to fit once more, and what was found of all
        that there was time to try, by place.

        Where the last ones took more than they were given the quickest are kept nonetheless, within one share.
        """
        found: dict[int, Found] = {}
        owed: dict[int, float] = {}
        shares = len(self.members) + 1 + (self.reader is not None)
        for place, member in enumerate(self.members):
            share = (_left(end) - sum(owed.values())) / (shares - place)
            if share > 0 or not found:
                one = found[place] = chosen(member, rest, queries, targets, runtime, max(share, 0.0))
                owed[place] = one.again + often * one.asking
                give_back_memory()
        left, places = max(_left(end), self.config.seconds / shares), []
        for place in sorted(owed, key=lambda place: owed[place]):
            left -= owed[place]
            if left >= 0:
                places.append(place)
        return sorted(places) or [0], found

    def _only(self, places: Sequence[int]) -> "Blend":
        """The same with these members."""
        wish_weights = _at(self.wish_weights, places)
        return replace(self, members=_at(self.members, places), wish_weights=wish_weights if any(wish_weights) else ())

    def _as_given(self, data: Dataset, runtime: Runtime, record: Mapping[str, Any]) -> Fused:
        """The members as they are, with equal weights."""
        members = tuple(within(member, self.config.seconds / len(self.members)) for member in self.members)
        fused = Fused(members=members, wish_weights=self.wish_weights).fit(data, runtime)
        fused = replace(fused, record={**record, **_tuned(members, fused.members)})
        return self._with_standby(fused, data, runtime)

    def _with_standby(self, fused: Fused, data: Dataset, runtime: Runtime) -> Fused:
        if self.standby is None or "popularity" in fused.reads:
            return fused
        weights = (*(fused.weights or (1.0,) * len(fused.members)), 0.0)
        wish_weights = (*fused.wish_weights, 0.0) if fused.wish_weights else ()
        cold_weights = (*fused.cold_weights, 0.0) if fused.cold_weights else ()
        members = (*fused.members, self.standby.fit(data, runtime))
        return replace(fused, members=members, weights=weights, wish_weights=wish_weights, cold_weights=cold_weights)


def _left(end: float) -> float:
    """The seconds until then, 0 after it."""
    return max(0.0, end - time.perf_counter())


def _served(fused: Fused, taught: Sequence[Retriever], members: Mapping[int, Retriever], cold: Bools) -> Fused:
    """The same over those members, by place, that it hears: fitted on everything, and asked as the taught ones were."""
    heard = _heard(fused)
    own = [(members[place], fused.members[place], taught[place]) for place in heard]
    return replace(
        fused,
        members=tuple(one if asked is as_taught else _asked_like(one, asked) for one, asked, as_taught in own),
        tells=tuple(heard.index(place) for place in fused.tells),
        weights=_at(fused.weights, heard),
        wish_weights=_at(fused.wish_weights, heard),
        cold=cold if fused.cold_weights else None,
        cold_weights=_at(fused.cold_weights, heard),
    )


def _asked_like(member: Any, other: Any) -> Any:
    return replace(member, config=other.config)


def _heard(fused: Fused) -> list[int]:
    """The places of members that some request may hear."""
    for_wish = fused.wish_weights or tuple("text" in one.reads for one in fused.members)
    return [place for place, own in enumerate(fused.weights) if own or for_wish[place] or place in fused.tells]


def _at(values: Sequence[T], places: Sequence[int]) -> tuple[T, ...]:
    """The values at these places; () where there are none."""
    return tuple(values[place] for place in places) if values else ()


def _names(members: Iterable[Retriever]) -> tuple[str, ...]:
    return tuple(type(one).__name__ for one in members)


def _tuned(parts: Sequence[Any], fitted: Sequence[Any]) -> dict[str, Any]:
    """What was written down by parts that tune a language model."""
    pairs = zip(parts, fitted, strict=True)
    told = {type(part).__name__: one.record for part, one in pairs if getattr(one, "record", {})}
    return {"tuned": told} if told else {}


def _on_everything(found: Found, data: Dataset, runtime: Runtime) -> Retriever:
    """The part with its chosen options, fitted on all data."""
    part: Retriever | Trainer = found.part
    return part.refit(found.fitted, data, runtime) if isinstance(part, Trainer) else part.fit(data, runtime)
