"""How long reading and checking a million events takes, against polars' own bare read of the same file; prints JSON.

python benchmarks/read_speed.py [--events 1000000] [--runs 9]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from palate.data.problems import Ledger
from palate.data.read import read
from palate.data.sources import load


def write_log(path: Path, n_events: int, ids: str, order: str) -> None:
    """A log with long-tailed users and items: ids as bare numbers or with a letter, in time order or in none."""
    rng = np.random.default_rng(0)
    users = (50_000 * rng.random(n_events) ** 2).astype(int)
    items = (20_000 * rng.random(n_events) ** 3).astype(int)
    times = 1_600_000_000 + rng.integers(0, 10**8, n_events)
    times = np.sort(times) if order == "time" else times
    values = rng.integers(1, 6, n_events)
    u_mark, i_mark = ("", "") if ids == "numbers" else ("u", "i")
    with path.open("w", encoding="utf8") as file:
        file.write("user_id,item_id,time,value\n")
        file.writelines(
            f"{u_mark}{u},{i_mark}{i},{t},{v}\n" for u, i, t, v in zip(users, items, times, values, strict=True)
        )


def measure(path: Path, runs: int) -> dict[str, Any]:
    """Wall and processor seconds: medians over interleaved runs, after one run of each that does not count."""
    ways: dict[str, Callable[[], Any]] = {
        "bare": lambda: pl.read_csv(path),
        "table": lambda: load("events", path, {}, Ledger()),
        "read": lambda: read(events=path),
    }
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(runs + 1):
        for name, work in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            work()
            spent[name].append((time.perf_counter() - wall, time.process_time() - processor))
    found: dict[str, Any] = {}
    for place, clock in enumerate(("wall", "processor")):
        middle = {name: statistics.median(one[place] for one in values[1:]) for name, values in spent.items()}
        ratios = {f"{name}_to_bare": round(middle[name] / middle["bare"], 2) for name in ("table", "read")}
        found[clock] = {**{f"{name}_ms": round(1e3 * one, 1) for name, one in middle.items()}, **ratios}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.csv"
        found: dict[str, Any] = {"events": options.events, "runs": options.runs, "threads": pl.thread_pool_size()}
        for ids, order in product(("texts", "numbers"), ("time", "none")):
            write_log(path, options.events, ids, order)
            found[f"ids {ids}, order {order}"] = {
                "megabytes": round(os.path.getsize(path) / 1e6, 1),
                **measure(path, options.runs),
            }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
