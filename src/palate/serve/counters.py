"""What the service counts and measures, in Prometheus' form."""

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from palate.serve.pulse import Pulse

SECONDS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.045, 0.06, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counters:
    """One set of measures for one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.pulse = Pulse()
        own: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("palate_requests", "Requests by route and status.", ("route", "status"), **own)
        self.latency = Histogram("palate_request_seconds", "Time of a request.", ("route",), buckets=SECONDS, **own)
        self.stages = Histogram(
            "palate_stage_seconds",
            "Time of a stage of a list, which lists of one batch share.",
            ("stage",),
            buckets=SECONDS,
            **own,
        )
        self.lists = Counter("palate_lists", "Lists by version and basis.", ("version", "basis"), **own)
        self.degraded = Counter("palate_degraded", "Lists with something left out, by what.", ("what",), **own)
        self.refused = Counter("palate_refused", "Requests refused, by why.", ("why",), **own)
        self.cached = Counter("palate_cached", "Lists that were remembered.", **own)
        self.events = Counter("palate_events", "Events by what became of them.", ("outcome",), **own)
        self.returned = Counter("palate_returned", "Moves of the watch, which found a version bad.", ("move",), **own)
        self.waiting = Gauge("palate_waiting", "What waits in each queue.", ("queue",), **own)
        self.last_event = Gauge("palate_last_event_time", "When the newest event was written, unix seconds.", **own)
        self.annex = Gauge("palate_new_items", "Items that the live version was not trained on.", **own)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)
