"""What the service counted, as the overview tells it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any

from palate.serve.counters import Counters

ROUTES = "/v1"  # only what clients ask is traffic


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests to one route since the start: by first digit of their status, and how long they took."""

    route: str
    answered: int
    refused: int
    failed: int
    p50_ms: float
    p95_ms: float

    @property
    def all(self) -> int:
        return self.answered + self.refused + self.failed


@dataclass(frozen=True, slots=True)
class Stage:
    """How long a stage of lists took."""

    name: str
    n: int
    p50_ms: float
    p95_ms: float


def traffic(counters: Counters) -> list[Traffic]:
    """By route, the busiest first."""
    by_route: dict[str, dict[str, int]] = {}
    for labels, value in _samples(counters.requests, "_total"):
        if labels["route"].startswith(ROUTES):
            statuses = by_route.setdefault(labels["route"], {})
            digit = labels["status"][:1]
            statuses[digit] = statuses.get(digit, 0) + int(value)
    found = []
    for route, statuses in by_route.items():
        buckets = _buckets(counters.latency, "route", route)
        p50, p95 = quantile(buckets, 0.5), quantile(buckets, 0.95)
        refused, failed = statuses.get("4", 0), statuses.get("5", 0)
        answered = sum(statuses.values()) - refused - failed
        found.append(Traffic(route, answered, refused, failed, 1000 * p50, 1000 * p95))
    return sorted(found, key=lambda one: (-one.all, one.route))


def stages(counters: Counters) -> list[Stage]:
    """The stages of lists, in the order they were first gone through."""
    names = dict.fromkeys(labels["stage"] for labels, _ in _samples(counters.stages, "_count"))
    found = []
    for name in names:
        buckets = _buckets(counters.stages, "stage", name)
        p50, p95 = quantile(buckets, 0.5), quantile(buckets, 0.95)
        found.append(Stage(name, int(buckets[-1][1]), 1000 * p50, 1000 * p95))
    return found


def quantile(buckets: Sequence[tuple[float, float]], q: float) -> float:
    """A quantile from (upper bound, how many are no larger), the last bound infinite; nan where nothing was counted.

    Inside a bucket values are taken to lie evenly, as Prometheus does; what lies above the last finite bound is that.

    >>> quantile([(1.0, 2.0), (2.0, 4.0), (float("inf"), 4.0)], 0.75)
    1.5
    """
    if not buckets or not buckets[-1][1]:
        return nan
    wanted = q * buckets[-1][1]
    lower, below = 0.0, 0.0
    for upper, count in buckets:
        if count >= wanted:
            return lower if upper == inf else lower + (upper - lower) * (wanted - below) / ((count - below) or 1.0)
        lower, below = upper, count
    return lower


def by(metric: Any, label: str) -> dict[str, int]:
    """A counter's values by one of its labels."""
    found: dict[str, int] = {}
    for labels, value in _samples(metric, "_total"):
        found[labels[label]] = found.get(labels[label], 0) + int(value)
    return found


def one(metric: Any, ending: str = "") -> float:
    """The value of a measure without labels."""
    return next((value for _, value in _samples(metric, ending)), 0.0)


def _samples(metric: Any, ending: str) -> Iterable[tuple[dict[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            if sample.name == family.name + ending:
                yield sample.labels, sample.value


def _buckets(metric: Any, label: str, value: str) -> list[tuple[float, float]]:
    found = [(float(labels["le"]), n) for labels, n in _samples(metric, "_bucket") if labels[label] == value]
    return sorted(found)
