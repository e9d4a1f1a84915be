"""A million events of 100,000 people on 100,000 items on one machine: seconds and memory to train, lists a second.

    python -m benchmarks.scale [PARTS] [--events 1000000] [--users 100000] [--items 100000] [--rounds 5]

The log is made by seed. Every part runs in a process of its own, so that one has not another's peak memory. Batch speed
is measured with one BLAS thread, ours and implicit's in turns, the best of several rounds. Keeps
benchmarks/results/scale.json.
"""

import argparse
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from palate import build
from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.evaluation.cost import measured
from palate.evaluation.environment import environment
from palate.retrieve.exact import LongestFirst
from palate.retrieve.ials import IALS
from palate.retrieve.top import product, retrieve_in_blocks
from palate.runtime import Runtime, threads
from palate.types import Floats, Queries, Slate
from palate.vectors import unit_rows

RESULTS = Path(__file__).parent / "results" / "scale.json"
FEWEST = 3  # events of a person
TASTES = 3  # themes of a person
FAITHFUL = 0.8  # share of the events that stay with them
THEMES = 1000
ASKED = 10_000  # requests in a batch
K = 10

Part = Callable[[argparse.Namespace], dict[str, Any]]


def main() -> None:
    """Run the parts named on the command line, or all of them, one after the other."""
    parts: dict[str, Part] = {f"train-{name}": partial(train, name) for name in build.RECIPES["classic"].parts}
    parts |= {"classic": partial(recipe, "classic"), "balanced": partial(recipe, "balanced", budget=600.0)}
    parts |= {"learned-vectors": learned_vectors, "even-vectors": even_vectors}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; all if none is given")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if unknown := set(given.parts) - set(parts):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(parts)}")
    kept: dict[str, Any] = json.loads(given.out.read_text(encoding="utf8")) if given.out.is_file() else {}
    kept |= {name: getattr(given, name) for name in ("events", "users", "items", "seed", "rounds")}
    for name in given.parts or parts:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            kept[name] = process.submit(parts[name], given).result()
        kept[name] |= {"load average": round(os.getloadavg()[0], 1), "machine": environment()}
        print(name, json.dumps(kept[name]), flush=True)
        given.out.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf8")


def make_data(given: argparse.Namespace) -> Dataset:
    """A log by seed: popularity falls as rank ** -0.9, people are unlike in activity (log-normal, 3 events at least)
    and choose mostly from three themes of their own, so that items of one theme are liked together; two years."""
    rng = np.random.default_rng(given.seed)
    weight = (1.0 + rng.permutation(given.items)) ** -0.9
    theme = rng.integers(0, THEMES, given.items)
    by_theme = np.argsort(theme, kind="stable")
    starts = np.searchsorted(theme[by_theme], np.arange(THEMES + 1))
    summed = np.concatenate([[0.0], np.cumsum(weight[by_theme])])
    activity = rng.lognormal(0.0, 1.0, given.users)
    more = rng.multinomial(given.events - FEWEST * given.users, activity / activity.sum())
    user = np.repeat(np.arange(given.users), FEWEST + more)
    own = rng.integers(0, THEMES, (given.users, TASTES))[user, rng.integers(0, TASTES, given.events)]
    faithful = rng.random(given.events) < FAITHFUL
    low = np.where(faithful, summed[starts[own]], 0.0)
    high = np.where(faithful, summed[starts[own + 1]], summed[-1])
    drawn = np.searchsorted(summed, low + rng.random(given.events) * (high - low), side="right") - 1
    item = by_theme[np.minimum(drawn, given.items - 1)]
    when = 1_600_000_000 + 2 * 365 * 86_400 * rng.random(given.events)
    order = np.lexsort((when, user))
    events = Events(
        user=user[order].astype(np.int32),
        item=item[order].astype(np.int32),
        time=when[order],
        value=np.ones(given.events, np.float32),
        liked=np.ones(given.events, np.bool_),
    )
    ids = IdMap(tuple(f"i{row}" for row in range(given.items)))
    nothing = ("",) * given.items
    people = People(IdMap(tuple(f"u{row}" for row in range(given.users))), ("",) * given.users)
    return Dataset(Catalogue(ids, ids.ids, nothing, nothing), people, events)


def train(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """One part of `classic` alone: seconds, memory, lists a second."""
    kind, _ = build.PARTS[name]
    data = make_data(given)
    model, cost = measured(lambda: kind().fit(data, Runtime(seed=given.seed)))
    queries = data.queries(np.arange(min(1000, given.users)))
    speed = _rates(given.rounds, {"lists_per_s": lambda: model.retrieve(queries, K)}, len(queries))
    return {"seconds": round(cost.seconds, 1), "peak_mb": round(cost.peak_mb), **speed}


def recipe(name: str, given: argparse.Namespace, budget: float = math.inf) -> dict[str, Any]:
    """The whole recipe, as a user trains it."""
    data = make_data(given)
    model, cost = measured(lambda: build.fit(name, data, Runtime(seed=given.seed), budget=budget))
    queries = data.queries(np.arange(min(1000, given.users)))
    answer, serving = measured(lambda: model.recommend(queries, K))
    return {
        "parts": list(build.RECIPES[name].parts),
        "budget_s": budget if budget < math.inf else None,
        "seconds": round(cost.seconds, 1),
        "peak_mb": round(cost.peak_mb),
        "lists_per_s": round(len(answer.slate) / serving.seconds),
        "serving peak_mb": round(serving.peak_mb),
        "decision": build.decisions(model),
    }


def learned_vectors(given: argparse.Namespace) -> dict[str, Any]:
    """iALS vectors: lists from stored vectors and from histories, ours and implicit's on the same model."""
    data = make_data(given)
    model = IALS().fit(data, Runtime(seed=given.seed))
    config, factors = model.config, model.factors_
    assert factors is not None
    people = np.random.default_rng(given.seed).permutation(given.users)[:ASKED]
    queries, liked = data.queries(people), data.matrix()[people]
    vectors = np.vstack([model.asked(block) for block in queries.blocks(512)])
    options = {"regularization": config.regularisation, "alpha": config.alpha}
    theirs = _implicit(factors, vectors, **options)
    index, rows = LongestFirst.of(factors), np.arange(len(people))
    runs: dict[str, Callable[[], Any]] = {
        "from vectors: palate, one thread": lambda: _asked(index, vectors, queries),
        "from vectors: implicit, all threads": lambda: theirs.recommend(rows, liked, N=K),
        "from histories: palate, one thread": lambda: model.retrieve(queries, K),
        "from histories: palate, two callers": lambda: _two(partial(_list, model), queries),
        "from histories: implicit, all threads": lambda: theirs.recommend(rows, liked, N=K, recalculate_user=True),
    }
    found = {"factors": config.factors, **_rates(given.rounds, runs, len(people))}
    their_items, their_scores = theirs.recommend(rows, liked, N=K)
    found |= _agreement(_asked(index, vectors, queries), their_items, their_scores)
    few = queries.take(slice(0, 1000))
    every = retrieve_in_blocks(model.scores, few, K)
    found["same as from all products"] = float((every.items == model.retrieve(few, K).items).mean())
    one = [queries.take(slice(row, row + 1)) for row in range(200)]
    took = [_seconds(partial(model.retrieve, request, K)) for request in one]
    return found | {"one request, median ms": round(1000 * float(np.median(took)), 2)}


def even_vectors(given: argparse.Namespace) -> dict[str, Any]:
    """The hardest case: random item vectors of one length, where every product must be made."""
    rng = np.random.default_rng(given.seed)
    items = unit_rows(rng.normal(size=(given.items, 64)))
    asked = rng.normal(size=(2048, 64)).astype(np.float32)
    data = make_data(given)
    queries, index = data.queries(np.arange(len(asked))), LongestFirst.of(items)
    theirs = _implicit(items, asked)
    rows, liked = np.arange(len(asked)), data.matrix()[: len(asked)]
    halves = [slice(0, 1024), slice(1024, 2048)]
    runs: dict[str, Callable[[], Any]] = {
        "palate, one thread": lambda: _asked(index, asked, queries),
        "palate, two callers": lambda: _both(lambda half: _asked(index, asked[half], queries.take(half)), halves),
        "implicit, all threads": lambda: theirs.recommend(rows, liked, N=K),
        "product alone, one thread": lambda: [product(asked[at : at + 256], items.T) for at in range(0, 2048, 256)],
    }
    found = {"factors": 64, **_rates(given.rounds, runs, len(asked))}
    return found | _agreement(_asked(index, asked, queries), *theirs.recommend(rows, liked, N=K))


def _implicit(items: Floats, people: Floats, **options: float) -> AlternatingLeastSquares:
    """implicit's model with given vectors, on all threads."""
    with threadpool_limits(1, "blas"):  # as it asks for
        model = AlternatingLeastSquares(factors=items.shape[1], num_threads=threads(), **options)
    model.item_factors, model.user_factors = items, people
    return model


def _asked(index: LongestFirst, vectors: Floats, queries: Queries) -> Slate:
    """The lists of given request vectors, in blocks as `LongestFirst.retrieve` makes them."""
    blocks = iter(np.split(vectors, range(256, len(vectors), 256)))
    return index.retrieve(lambda block: next(blocks), queries, K)


def _list(model: IALS, queries: Queries) -> Slate:
    return model.retrieve(queries, K)


def _two(answer: Callable[[Queries], Slate], queries: Queries) -> list[Slate]:
    """Two threads with half the requests each."""
    half = len(queries) // 2
    return _both(answer, [queries.take(slice(0, half)), queries.take(slice(half, len(queries)))])


def _both(work: Callable[[Any], Any], halves: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, halves))


def _agreement(ours: Slate, items: Any, scores: Any) -> dict[str, float]:
    """The share of places with the same item, the share of items in both lists, the largest gap between scores."""
    overlap = [len(np.intersect1d(mine, their)) for mine, their in zip(ours.items, items, strict=True)]
    return {
        "same place as implicit": round(float((ours.items == items).mean()), 5),
        "overlap with implicit": round(float(np.mean(overlap)) / K, 5),
        "largest gap of scores": float(np.abs(ours.scores - scores).max()),
    }


def _rates(rounds: int, runs: dict[str, Callable[[], Any]], n_requests: int) -> dict[str, int]:
    """Requests a second of each run, the best round; the runs take turns."""
    best = dict.fromkeys(runs, np.inf)
    with threadpool_limits(1, "blas"):
        for _ in range(rounds + 1):
            for name, run in runs.items():
                best[name] = min(best[name], _seconds(run))
    return {name: round(n_requests / seconds) for name, seconds in best.items()}


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
