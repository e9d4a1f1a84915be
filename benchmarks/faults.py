"""`python -m benchmarks.faults [FIGURE ...]`: what of reliability.md's faults is borne, on the machine it runs on.

F1 kills a service during ingest, 200 times unless told otherwise. The others are borne out by the tests that make the
fault happen, of which each figure has its own; a figure holds where all of them pass. Keeps
benchmarks/results/faults.json; `python -m benchmarks --page-only` draws the page.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import palate
from benchmarks.kill import rounds
from palate.evaluation.environment import environment

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "faults.json"


@dataclass(frozen=True)
class Figure:
    """What is done, what must come of it, and the tests that do it: files, or files and what a test's name holds."""

    done: str
    wanted: str
    tests: tuple[str, ...]
    named: str = ""


FIGURES = {
    "F1": Figure(
        "kill -9 during ingest",
        "no acknowledged event lost or doubled, restart <= 5 s",
        ("tests/serve/test_kill.py",),
    ),
    "F2": Figure(
        "kill -9 during training, judging and publishing, at every change of a file",
        "the live version answers on, training is tried again or goes on, no alias to an unverified version",
        ("tests/serve/test_schedule.py", "tests/serve/test_registry.py", "tests/train", "tests/cli"),
        "kill",
    ),
    "F3": Figure(
        "disk full or read-only; damaged database, model, manifest, aliases, index",
        "no crash, refused by hash, the previous version answers",
        ("tests/serve/test_damage.py", "tests/serve/test_registry.py", "tests/serve/test_lineup.py", "tests/retrieve",
         "tests/test_store.py"),
        "damage or without_room or full or written or missing or anew",
    ),
    "F5": Figure(
        "events repeated, reordered, late",
        "the state of a clean replay",
        ("tests/serve/test_state.py", "tests/serve/test_events.py"),
    ),
    "F6": Figure(
        "a version that says NaN, is constant, has the wrong width, is ten times slower or liked a third less",
        "the gate refuses it; forced, it is taken back within 30 s",
        ("tests/serve/test_bad_versions.py", "tests/serve/test_gate.py", "tests/serve/test_watch.py"),
    ),
    "F7": Figure("schemathesis, all phases", "no 5xx, no undeclared status", ("tests/serve/test_document.py",)),
}  # fmt: skip


def main() -> None:
    """Run the figures named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.splitlines()[0])
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"of {', '.join(FIGURES)}; all if none")
    parser.add_argument("--kills", type=int, default=200, help="of F1, one in ten of them of `palate serve` itself")
    given = parser.parse_args()
    if unknown := set(given.figures) - set(FIGURES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(FIGURES)}")
    kept: dict[str, Any] = json.loads(RESULTS.read_text("utf8")) if RESULTS.is_file() else {}
    for name in given.figures or FIGURES:
        start = time.perf_counter()
        found = tested(FIGURES[name]) | (killed(given.kills) if name == "F1" else {})
        about = {"done": FIGURES[name].done, "wanted": FIGURES[name].wanted}
        kept[name] = about | found | {"seconds": round(time.perf_counter() - start, 1)}
        kept["machine"] = environment() | {"processors": str(os.cpu_count())}
        print(name, json.dumps(kept[name]), flush=True)
        RESULTS.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf8")


def tested(figure: Figure) -> dict[str, Any]:
    """How many tests passed, failed and were skipped, and the slowest."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        subprocess.run(
            [*words, *(("-k", figure.named) if figure.named else ()), *figure.tests],
            cwd=HERE.parent, check=False, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        return counted(report.read_text("utf8"))


def counted(report: str) -> dict[str, Any]:
    """The same of a report in JUnit's format."""
    cases = list(xml.fromstring(report).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(case.find("skipped") is not None for case in cases)
    slowest = max(cases, key=lambda case: float(case.get("time", 0)), default=None)
    return {
        "passed": len(cases) - len(failed) - skipped,
        "skipped": skipped,
        "failed": failed,
        "slowest": {} if slowest is None else {slowest.get("name"): float(slowest.get("time", 0))},
    }


def killed(kills: int) -> dict[str, Any]:
    """F1: what so many kills lost or doubled, which is nothing or an AssertionError, and how long restarts took."""
    events = pl.DataFrame({"user_id": ["a", "a", "b"], "item_id": ["x", "y", "x"], "time": [1, 2, 3]})
    data = palate.read(events=events, items=pl.DataFrame({"item_id": ["x", "y"], "title": ["one", "two"]}))
    with tempfile.TemporaryDirectory() as folder:
        palate.fit(data, recipe="popular").save(Path(folder) / "model")
        servers = max(1, kills // 10)
        tally = rounds(Path(folder) / "model", Path(folder) / "state", kills, servers)
    return {
        "kills": tally.kills,
        "acknowledged": len(tally.acknowledged),
        "restart_s": spread(tally.restarts_s),
        "serve_ready_s": spread(tally.ready_s),
    }


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median and longest."""
    return {"median": round(float(np.median(seconds)), 2), "longest": round(max(seconds), 2)}


if __name__ == "__main__":
    main()
