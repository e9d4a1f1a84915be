"""What became of a load test's requests, to the figures that are told: percentiles, goodput, counts, own lateness."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from palate.serve.loadtest import LoadConfig, Shot

REFUSED = (429, 503)
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures of one run.

    answered, refused: milliseconds from when a request was due, of answers with status 200 and of refusals (429, 503),
        by "p50", "p95", "p99" and "max"; {} where there are none.
    good: answers with status 200 and nothing left out, before the deadline; goodput: these a second.
    late: milliseconds after they were due at which requests were sent, whatever the service did: the generator's own.
    """

    asked: int
    seconds: float
    good: int
    answered: Mapping[str, float]
    refused: Mapping[str, float]
    late: Mapping[str, float]
    statuses: Mapping[str, int]
    degraded: Mapping[str, int]
    failed: Mapping[str, int]

    @property
    def goodput(self) -> float:
        """Good answers a second."""
        return self.good / self.seconds


def tally(shots: Sequence[Shot], config: LoadConfig) -> Tally:
    """The figures of what became of the calls of one run, or of those of one kind."""
    whole = [one for one in shots if one.status == 200]
    return Tally(
        asked=len(shots),
        seconds=config.seconds,
        good=sum(not one.degraded and one.ms <= config.deadline_ms for one in whole),
        answered=percentiles([one.ms for one in whole]),
        refused=percentiles([one.ms for one in shots if one.status in REFUSED]),
        late=percentiles([(one.sent - one.due) * 1000 for one in shots]),
        statuses=_counted(str(one.status) for one in shots if one.status),
        degraded=_counted(what for one in shots for what in one.degraded),
        failed=_counted(one.failed for one in shots if one.failed),
    )


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The nearest-rank percentiles: the smallest value that at least that share does not exceed; {} of nothing.

    >>> percentiles([4.0, 1.0, 3.0, 2.0])
    {'p50': 2.0, 'p95': 4.0, 'p99': 4.0, 'max': 4.0}
    """
    ordered = sorted(values)
    if not ordered:
        return {}
    found = {name: ordered[max(0, math.ceil(share * len(ordered)) - 1)] for name, share in SHARES.items()}
    return {name: round(value, 3) for name, value in {**found, "max": ordered[-1]}.items()}


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
