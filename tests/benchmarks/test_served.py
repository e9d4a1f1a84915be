"""Figures of the service under load, as the page shows them."""

from benchmarks.served import served

MS = {"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 1234.5}
LOAD = {
    "asked": 12,
    "good": 9,
    "answered_ms": MS,
    "statuses": {"200": 10, "503": 2},
    "degraded": {"trees": 1},
    "failed": {},
}
FOUND = {
    "shop": {"items": 100_000, "users": 5, "events": 7, "recipe": "classic", "members": ["EASE"], "used": "trees",
             "training_s": 480.0},
    "machine": {"processor": "P", "memory": "M", "processors": "2"},
    "L1": LOAD,
    "L2": {"150 ms": LOAD, "load average before": 1.0},
    "L3": {"events_per_s": 2000.0, "events": LOAD, "recommend": LOAD},
    "L4": {"probes": 100, "ms": MS, "never within 10 s": 1},
    "L6": {"before": LOAD, "overload": LOAD, "after": LOAD, "goodput_kept": 0.85, "refused_share": 0.7,
           "refused_from_sent_ms": {}, "errors_500": 0, "recovery_s": None},
}  # fmt: skip


def test_every_part_that_was_run_has_its_rows():
    page = served(FOUND)
    figures = [line.split(" | ")[0].strip("| ") for line in page.splitlines() if line.startswith("|")]
    assert [one for one in figures if one.startswith("L")] == ["L1", "L2", "L3", "L4", "L6"]
    assert "| 1.0 | 2.0 | 3.0 | 1,234.5 | 9 / 12 | trees 1, status 503: 2 |" in page
    assert "| 99 / 100 |" in page
    assert "85% kept, 70% refused, 0 500s, well after never" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_what_was_not_reached_is_named():
    page = served(FOUND)
    assert "Not reached: L1 (p50 1, p99 3 ms, 25.0% not well); L6 (no recovery within 5 s)." in page
    well = {**FOUND, "L1": LOAD | {"good": 12}, "L6": FOUND["L6"] | {"recovery_s": 2.0}}
    assert "Not reached" not in served(well)
