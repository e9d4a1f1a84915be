"""The service under load: latencies, ingest, freshness, overload, start-up and memory, on the machine it runs on.

    python -m benchmarks.serving [PART ...] [--items 100000] [--events 1000000] [--recipe classic]

Makes a shop by seed and trains it once (the model stays under --work), starts the real `palate serve` and sends it what
`palate load-test` sends, from this process: generator and service share the machine. What every part measures stands in
its function. `--small` is a shop of 2,000 items and short runs, to see that all works. Keeps
benchmarks/results/serving.json and draws docs/benchmarks.md anew.
"""

import argparse
import http.client
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.page import page
from benchmarks.shopfront import Front, read_by_cross_encoder, running, shop
from palate.evaluation.environment import environment
from palate.model import load
from palate.serve.loadtest import Call, LoadConfig, Shot, load_test, make_calls, read_items
from palate.serve.tally import percentiles, tally

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "serving.json"
PAGE = HERE.parent / "docs" / "benchmarks.md"
PARTS = ("start", "L1", "L2", "L3", "L4", "L5", "L6")
SOAKS = ("soak", "soak-demo", "soak-asking")
TIMES = 5  # L1's load, in L6
GIVE_UP_S = 10.0  # on an event or an item that never shows
SAMPLE_S = 10.0  # between two looks at the memory
HEALTHY = 0.95  # share of a second's requests that are answered well


@dataclass(frozen=True)
class Place:
    """Where a part finds its service, and what it may ask of it."""

    given: argparse.Namespace
    model: Path
    users: Sequence[str]
    state: Path

    def calls(self, front: Front, config: LoadConfig, **mix: float) -> list[Call]:
        """Calls for these kinds of request."""
        return make_calls(config, mix, self.users, read_items(front.url, front.key))

    def sent(self, front: Front, config: LoadConfig, **mix: float) -> list[Shot]:
        """What became of them."""
        return load_test(front.url, front.key, self.calls(front, config, **mix), config)

    def warm(self, front: Front) -> None:
        """A few seconds of L1 that do not count."""
        self.sent(front, LoadConfig(rate=self.given.rate, seconds=3.0, seed=self.given.seed + 1), recommend=1.0)


def main() -> None:
    """Measure the parts named on the command line, or all but the soaks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS + SOAKS)}; all but the soaks if none"
    )
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--recipe", default="classic", help="a recipe, or parts by comma")
    parser.add_argument("--rate", type=float, default=200.0, help="of L1")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load")
    parser.add_argument("--probes", type=int, default=100, help="of L4 and L5")
    parser.add_argument("--soak", type=float, default=1200.0, help="seconds of a soak")
    parser.add_argument("--demo", type=Path, help="a saved model for start and soak-demo, as palate-demo/model")
    parser.add_argument("--small", action="store_true", help="2,000 items and short runs; nothing is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=HERE / "work")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if unknown := set(given.parts) - {*PARTS, *SOAKS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(PARTS + SOAKS)}")
    if {"soak-demo", "soak-asking"} & set(given.parts) and not given.demo:
        parser.error("soak-demo, soak-asking: name the model by --demo")
    if given.small:
        given.items, given.users, given.events, given.probes = 2000, 2000, 20_000, min(given.probes, 10)
        given.seconds, given.rate, given.soak = min(given.seconds, 5.0), min(given.rate, 20.0), min(given.soak, 30.0)
        given.out = given.work / "small.json"
    given.work.mkdir(parents=True, exist_ok=True)
    measure(given)


def measure(given: argparse.Namespace) -> None:
    """Every part in its turn, each on a service of its own; the file is written after each."""
    kept: dict[str, Any] = json.loads(given.out.read_text("utf8")) if given.out.is_file() else {}
    model, told = shop(given)
    kept["shop"] = {"items": given.items, "users": given.users, "events": given.events, "seed": given.seed, **told}
    kept["machine"] = environment() | {"processors": str(os.cpu_count())}
    made: dict[str, Callable[[Place], dict[str, Any]]] = {
        "start": start, "L1": lists, "L2": with_cross_encoder, "L3": ingest, "L4": event_to_list, "L5": item_to_search,
        "L6": overload, "soak": soak, "soak-demo": soak, "soak-asking": partial(soak, posting=False),
    }  # fmt: skip
    everybody = [f"u{row}" for row in range(given.users)]
    for name in given.parts or PARTS:
        of_demo = name in ("soak-demo", "soak-asking")
        asked, users = (given.demo, _people(given.demo)) if of_demo else (model, everybody)
        place = Place(given, asked, users, given.work / "state" / f"{name}-{int(time.time())}")
        kept[name] = made[name](place) | {"load average before": round(os.getloadavg()[0], 2)}
        shutil.rmtree(place.state)  # every service publishes a copy of the model
        print(name, json.dumps(kept[name]), flush=True)
        given.out.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf8")
    if not given.small:
        PAGE.write_text(page(RESULTS.parent), encoding="utf8")


def _people(model: Path) -> Sequence[str]:
    return load(model).data.users.ids.ids


def start(place: Place) -> dict[str, Any]:
    """Seconds from the command to ready, memory then and after 100 lists; twice, as the first start reads titles."""
    found: dict[str, Any] = {}
    models = {"shop, first": place.model, "shop": place.model}
    models |= {"demo, first": place.given.demo, "demo": place.given.demo} if place.given.demo else {}
    for name, model in models.items():
        with running(model, place.state / name.split(",")[0]) as front:
            ready_mb = front.rss_mb
            config = LoadConfig(rate=10.0, seconds=10.0, arrivals="even")
            load_test(
                front.url,
                front.key,
                make_calls(config, {"recommend": 1.0}, (), read_items(front.url, front.key)),
                config,
            )
            found[name] = {"ready_s": front.ready_s, "ready_mb": ready_mb, "after_mb": front.rss_mb}
    return found


def lists(place: Place) -> dict[str, Any]:
    """L1: lists for people drawn at random."""
    config = LoadConfig(rate=place.given.rate, seconds=place.given.seconds, seed=place.given.seed)
    with running(place.model, place.state) as front:
        place.warm(front)
        return _figures(place.sent(front, config, recommend=1.0), config) | {"rss_mb": front.rss_mb}


def with_cross_encoder(place: Place) -> dict[str, Any]:
    """L2: the same with a cross-encoder over 50 candidates and 150 ms for an answer, 5 a second; and what the answers
    are when they have two seconds."""
    found = {}
    with running(read_by_cross_encoder(place.model), place.state) as front:
        for name, deadline_ms, rate in (("150 ms", 150.0, 5.0), ("2 s", 2000.0, 0.5)):
            config = LoadConfig(rate=rate, seconds=place.given.seconds, deadline_ms=deadline_ms, tell=True)
            found[name] = _figures(place.sent(front, config, recommend=1.0), config)
    return found


def ingest(place: Place) -> dict[str, Any]:
    """L3: 2,000 events a second in batches of 50, acknowledged on disk, beside a quarter of L1's lists."""
    batches, lists_rate = place.given.rate / 5, place.given.rate / 4
    config = LoadConfig(rate=batches + lists_rate, seconds=place.given.seconds, seed=place.given.seed)
    with running(place.model, place.state) as front:
        place.warm(front)
        shots = place.sent(front, config, events=batches, recommend=lists_rate)
    parts = {kind: [one for one in shots if one.kind == kind] for kind in ("events", "recommend")}
    written = 50 * sum(one.status == 200 for one in parts["events"])
    found = {kind: _figures(own, config) for kind, own in parts.items()}
    return {"events_per_s": round(written / config.seconds, 1), **found}


def event_to_list(place: Place) -> dict[str, Any]:
    """L4: from sending that someone had the first item of their list to a list of theirs without it, beside a quarter
    of L1's lists."""
    rng = np.random.default_rng(place.given.seed)

    def probe(ask: "Asking", number: int) -> float:
        user = str(rng.choice(place.users))
        while not (shown := ask.items("/v1/recommend", {"user_id": user})):
            pass
        first = shown[0]
        began = time.perf_counter()
        event = {"event_id": f"probe-{time.time_ns()}", "user_id": user, "item_id": first}
        ask("POST", "/v1/events", event)
        return _until(lambda: first not in ask.items("/v1/recommend", {"user_id": user}), began)

    return _probed(place, probe)


def item_to_search(place: Place) -> dict[str, Any]:
    """L5: from putting an item with a text to a search that finds it, beside a quarter of L1's lists."""

    def probe(ask: "Asking", number: int) -> float:
        name, text = f"new-{number}", f"submersible harmonica edition {number * 7919}"
        began = time.perf_counter()
        ask("PUT", f"/v1/items/{name}", {"title": text})
        return _until(lambda: name in ask.items("/v1/search", {"text": text}), began)

    return _probed(place, probe)


def overload(place: Place) -> dict[str, Any]:
    """L6: L1's load, then five times as much, then L1's again: what is answered, what refused and how fast, and after
    how many seconds all is well again."""
    given = place.given
    seconds = max(3.0, given.seconds / 3)
    usual = LoadConfig(rate=given.rate, seconds=seconds, seed=given.seed, outstanding=2000)
    loads = [usual, replace(usual, rate=TIMES * given.rate, seed=given.seed + 1), replace(usual, seed=given.seed + 2)]
    with running(place.model, place.state) as front:
        place.warm(front)
        calls = [
            replace(call, due=call.due + number * seconds)
            for number, config in enumerate(loads)
            for call in place.calls(front, config, recommend=1.0)
        ]
        shots = load_test(front.url, front.key, calls, usual)
    names = ("before", "overload", "after")
    parts = [[one for one in shots if number * seconds <= one.due < (number + 1) * seconds] for number in range(3)]
    found: dict[str, Any] = {name: _figures(own, usual) for name, own in zip(names, parts, strict=True)}
    before, during = (tally(own, usual) for own in parts[:2])
    refused = [one for one in parts[1] if one.status in (429, 503)]
    return found | {
        "goodput_kept": round(during.good / max(1, before.good), 3),
        "refused_share": round(len(refused) / max(1, len(parts[1])), 3),
        "refused_from_sent_ms": percentiles([(one.done - one.sent) * 1000 for one in refused]),
        "errors_500": sum(one.status == 500 for one in shots),
        "recovery_s": _recovery(parts[2], 2 * seconds, usual),
    }


def soak(place: Place, *, posting: bool = True) -> dict[str, Any]:
    """Memory every ten seconds under 20 requests a second: lists, searches and events, with an item posted each time;
    or lists and searches alone, so that nothing comes in that must be kept.

    Before it a tenth of its time at 100 lists and searches a second, that fills what fills once: what is remembered of
    people, and code that torch makes for each shape of a batch. MB an hour by least squares, with the interval of
    residuals taken as independent.
    """
    config = LoadConfig(rate=20.0, seconds=place.given.soak, seed=place.given.seed)
    before = LoadConfig(rate=100.0, seconds=config.seconds / 10, seed=config.seed + 1)
    with running(place.model, place.state) as front:
        ready_mb = front.rss_mb
        place.sent(front, before, recommend=18.0, search=2.0)
        done, seen = threading.Event(), list[tuple[float, float]]()
        ask = Asking(front)

        def look() -> None:
            began = time.perf_counter()
            while not done.wait(SAMPLE_S):
                seen.append((time.perf_counter() - began, front.rss_mb))
                if posting:
                    ask("PUT", f"/v1/items/soak-{len(seen)}", {"title": f"tidal windmill {len(seen) * 7919}"})

        beside = threading.Thread(target=look)
        beside.start()
        mix = {"recommend": 14.0, "search": 2.0, "event": 4.0} if posting else {"recommend": 18.0, "search": 2.0}
        shots = place.sent(front, config, **mix)
        done.set()
        beside.join()
    slope, error = _slope(np.array(seen))
    return _figures(shots, config) | {
        "ready_mb": ready_mb, "first_mb": seen[0][1], "last_mb": seen[-1][1], "most_mb": max(mb for _, mb in seen),
        "looks": len(seen),
        "mb_per_hour": [round(value, 2) for value in (slope, slope - 1.96 * error, slope + 1.96 * error)],
    }  # fmt: skip


class RefusedError(Exception):
    """The service had too much to do."""


@dataclass(frozen=True)
class Asking:
    """One request after the other to a service, each on a connection of its own."""

    front: Front

    def __call__(self, method: str, path: str, body: Any) -> Any:
        """What a request is answered with. Raises RefusedError for 503, RuntimeError for all else but 200."""
        connection = http.client.HTTPConnection(urlsplit(self.front.url).netloc, timeout=30)
        headers = {"Authorization": f"Bearer {self.front.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body), headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status == 503:
            raise RefusedError(told["error"]["message"])
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {told}")
        return told

    def items(self, path: str, body: Any) -> list[str]:
        """The ids of a list; none where it is refused, as a client that asks again sees it."""
        try:
            return [one["item_id"] for one in self("POST", path, body)["items"]]
        except RefusedError:
            return []


def _probed(place: Place, probe: Callable[[Asking, int], float]) -> dict[str, Any]:
    """Milliseconds of many probes, one after the other, while lists are asked for beside them."""
    with running(place.model, place.state) as front:
        place.warm(front)
        ask, took = Asking(front), list[float]()
        config = LoadConfig(rate=place.given.rate / 4, seconds=max(5.0, place.given.probes * 0.3))
        beside = threading.Thread(target=partial(place.sent, front, config, recommend=1.0))
        beside.start()
        for number in range(place.given.probes):
            took.append(probe(ask, number) * 1000)
        beside.join()
    shown = [one for one in took if one < float("inf")]
    return {"probes": len(took), "ms": percentiles(shown), f"never within {GIVE_UP_S:g} s": len(took) - len(shown)}


def _until(shown: Callable[[], bool], began: float) -> float:
    """Seconds since then at which it is so; infinity after GIVE_UP_S."""
    while time.perf_counter() - began < GIVE_UP_S:
        if shown():
            return time.perf_counter() - began
    return float("inf")


def _recovery(shots: Sequence[Shot], since: float, config: LoadConfig) -> float | None:
    """Seconds after which in every further second nearly all requests are answered whole and in time; None: never."""
    last = int(max(one.due for one in shots) - since)
    well = []
    for second in range(last):
        own = [one for one in shots if second <= one.due - since < second + 1]
        well.append(tally(own, config).good >= HEALTHY * len(own))
    bad = [second for second, fine in enumerate(well) if not fine]
    if not bad:
        return 0.0
    return None if bad[-1] == last - 1 else float(bad[-1] + 1)


def _slope(looks: Any) -> tuple[float, float]:
    """MB an hour and its standard error, of looks (N, 2) of seconds and MB."""
    hours, mb = looks[:, 0] / 3600, looks[:, 1]
    slope, level = np.polyfit(hours, mb, 1)
    left = mb - (slope * hours + level)
    spread = ((hours - hours.mean()) ** 2).sum()
    return float(slope), float(np.sqrt((left**2).sum() / max(1, len(mb) - 2) / spread))


def _figures(shots: Sequence[Shot], config: LoadConfig) -> dict[str, Any]:
    found = tally(shots, config)
    return {
        "asked": found.asked,
        "good": found.good, "goodput": round(found.good / config.seconds, 1), "answered_ms": dict(found.answered),
        "refused_ms": dict(found.refused), "late_ms": dict(found.late), "statuses": dict(found.statuses),
        "degraded": dict(found.degraded), "failed": dict(found.failed),
    }  # fmt: skip


if __name__ == "__main__":
    main()
