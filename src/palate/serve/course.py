"""Requests' way through a version's stages: how long each takes, and which are left out where the time is too short."""

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter
from typing import Any, cast

from palate.contracts import Accountable, Explainer, Guard, Ranker, Reasons, Retriever, Source
from palate.pipeline import Recommender
from palate.types import Floats, Ints, Queries, Signals, Slate, Verdict

NAMES = {
    "FeatureRanker": "trees",
    "CrossEncoder": "cross-encoder",
    "LLMRanker": "llm",
    "Diversify": "variety",
    "Newcomers": "newcomers",
}
STAGES = ("explain", "llm", "cross-encoder", "variety", "trees")  # what can be left out, in the order of giving up
LATELY = 15  # batches
SHRINK = 0.98


def stage_name(ranker: Any) -> str:
    """How messages and metrics call a ranker."""
    kind = type(ranker).__name__
    return NAMES.get(kind, kind.lower())


@dataclass(eq=False)
class Clock:
    """Milliseconds by stage of one batch."""

    taken: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count what happens inside for a stage."""
        start = perf_counter()
        try:
            yield
        finally:
            self.taken[stage] = self.taken.get(stage, 0.0) + (perf_counter() - start) * 1000


def timed(recommender: Recommender, clock: Clock, without: Sequence[str] = ()) -> Recommender:
    """The same stages under a clock, some of them left out."""
    rankers = tuple(_ranker(one, clock) for one in recommender.rankers if stage_name(one) not in without)
    explainer = recommender.explainer if "explain" not in without else None
    return replace(
        recommender,
        retriever=cast(Retriever, _Retriever(recommender.retriever, clock)),  # fitted long ago
        rankers=rankers,
        guards=tuple(_Guard(one, clock) for one in recommender.guards),
        explainer=_Explainer(explainer, clock) if explainer else None,
        lists=timed(recommender.lists, clock, without) if recommender.lists else None,
    )


class Expected:
    """What each stage of a version is expected to take: the median of its last LATELY batches.

    A stage that is left out is not measured, so what is expected of it shrinks a little each time: it is tried again
    before long, and a stage that was slow for a moment does not stay out.
    """

    def __init__(self) -> None:
        self._last: dict[str, deque[float]] = {}
        self._ms: dict[str, float] = {}
        self._turn = threading.Lock()

    def learn(self, taken: Mapping[str, float]) -> None:
        """Take in what a batch took."""
        with self._turn:
            for stage, ms in taken.items():
                self._last.setdefault(stage, deque(maxlen=LATELY)).append(ms)
                self._ms[stage] = median(self._last[stage])

    def forget(self) -> None:
        """What was measured so far was of other circumstances, as before a network is loaded."""
        with self._turn:
            self._last, self._ms = {}, {}

    def left_out(self, room_ms: float, present: Sequence[str], order: Sequence[str]) -> tuple[str, ...] | None:
        """The stages to leave out, in the order of giving up, so that the rest fits; None where nothing does.

        present: the stages that the request would go through.
        """
        with self._turn:
            total = sum(self._ms.get(stage, 0.0) for stage in present)
            gone: list[str] = []
            for stage in order:
                if total <= room_ms:
                    break
                if self._ms.get(stage) and stage in present:
                    gone.append(stage)
                    total -= self._ms[stage]
            fits = total <= room_ms
            for stage in gone if fits else present:
                self._ms[stage] = self._ms.get(stage, 0.0) * SHRINK
            return tuple(gone) if fits else None


@dataclass(frozen=True, slots=True, eq=False)
class _Retriever:
    inner: Retriever
    clock: Clock

    @property
    def reads(self) -> frozenset[Source]:
        return self.inner.reads

    def scores(self, queries: Queries) -> Floats:
        return self.inner.scores(queries)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        with self.clock.of("retrieve"):
            return self.inner.retrieve(queries, k, among)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranker:
    inner: Ranker
    clock: Clock

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        with self.clock.of(stage_name(self.inner)):
            return self.inner.rank(queries, slate)


@dataclass(frozen=True, slots=True, eq=False)
class _Accountable(_Ranker):
    inner: Any

    def contributions(self, queries: Queries, slate: Slate) -> Signals:
        found: Signals = self.inner.contributions(queries, slate)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Guard:
    inner: Guard
    clock: Clock

    def check(self, queries: Queries, slate: Slate) -> Verdict:
        with self.clock.of("guard"):
            return self.inner.check(queries, slate)


@dataclass(frozen=True, slots=True, eq=False)
class _Explainer:
    inner: Explainer
    clock: Clock

    def explain(self, retriever: Retriever, queries: Queries, slate: Slate) -> Reasons:
        with self.clock.of("explain"):
            return self.inner.explain(retriever, queries, slate)


def _ranker(ranker: Ranker, clock: Clock) -> Ranker:
    return _Accountable(ranker, clock) if isinstance(ranker, Accountable) else _Ranker(ranker, clock)
