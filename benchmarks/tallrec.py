"""Like or dislike from a history of ten and a few labelled rows: small language models tuned on 16, 64 or 256 rows
beside counting.

    python -m benchmarks.tallrec --shots 16,64,256 --seeds 0,1,2,3,4 --models minilm-bi-full,minilm-cross-full

Options and epochs are chosen on the validation rows, with `--part valid`, which keeps nothing and never asks test. Rows
are added to benchmarks/results/tallrec.json and .npz or replace those of the same model, shots and seed; the page is
drawn by `python -m benchmarks --page-only`.
"""

import argparse
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from benchmarks import __main__ as every
from benchmarks.asked import generator_of, log_odds_of_yes, tuned
from benchmarks.evidence import asked_pairs, item_rate, liked_share, log_odds, told_pairs, told_rate
from benchmarks.sets.tallrec import Asked, TallRec, tallrec
from benchmarks.taste import learned
from palate.evaluation.compare import Interval, auc_interval, interval
from palate.evaluation.cost import measured
from palate.evaluation.environment import accelerator, environment
from palate.metrics.accuracy import auc, uauc, user_auc
from palate.runtime import Runtime
from palate.train.llm import LLMTrainerConfig
from palate.train.loop import LoopConfig
from palate.train.ranker import RankerTrainer, RankerTrainerConfig
from palate.types import Bools, Floats

RESULTS = every.RESULTS / "tallrec.json"
RULES = ("liked share", "item rate", "liked share + item rate")  # counted in all train rows; no shots
COUNTED = "liked share + rate in the shots"


@dataclass(frozen=True)
class Scorer:
    """What a model learned: scores of rows, and how many numbers were free; numbers: of the row, beside its costs."""

    scores: Callable[[Asked], Floats]
    trainable: int
    numbers: dict[str, float] = field(default_factory=dict)


Learn = Callable[[TallRec, Asked, Runtime], Scorer]


def main() -> None:
    """Run the models named on the command line and keep their rows; the rules that count are always there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tallrec", description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(MODELS), help=f"by comma, of {', '.join(MODELS)}")
    parser.add_argument("--shots", default="16,64,256")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--data", type=Path, default=every.HERE.parent.parent / "shared" / "data")
    parser.add_argument("--part", choices=("test", "valid"), default="test", help="valid: print alone, ask no test row")
    parser.add_argument("--rows", type=int, help="with --part valid: ask only so many of its rows, drawn once")
    parser.add_argument("--decoder", default="{}", help="JSON: options of the decoder's training, instead of DECODER's")
    given = parser.parse_args()
    DECODER.update(json.loads(given.decoder))
    if given.rows and given.part != "valid":
        parser.error("--rows is for --part valid; test is asked as a whole")
    models = given.models.split(",")
    if unknown := set(models) - set(MODELS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(MODELS)}")
    protocol = tallrec(given.data)
    kept = _kept(protocol)
    if given.rows:
        drawn = np.random.default_rng(0).permutation(len(protocol.valid))[: given.rows]
        protocol = replace(protocol, valid=protocol.valid.take(np.sort(drawn)))
    for shots in map(int, given.shots.split(",")):
        for model in models:
            for seed in map(int, given.seeds.split(",")):
                row, scores = _run(model, protocol, shots, seed, given.part)
                print(json.dumps(row), flush=True)
                if given.part == "test":
                    key = f"{model}@{shots}@{seed}" + (f"@{row['device']}" if row["device"] else "")
                    kept["rows"][key] = row
                    _write(kept, key, scores, protocol)


def _run(model: str, protocol: TallRec, shots: int, seed: int, part: str) -> tuple[dict[str, Any], Floats]:
    """A row of results, and the scores of the asked rows."""
    rows: Asked = getattr(protocol, part)
    told = protocol.train.shots(shots, seed)
    scorer, fit = measured(lambda: MODELS[model](protocol, told, Runtime(seed=seed)))
    scores, ask = measured(lambda: scorer.scores(rows))
    valid = scores if part == "valid" else scorer.scores(protocol.valid)
    found = {"valid auc": auc(protocol.valid.liked, valid)}
    found |= {"valid uauc": uauc(protocol.valid.user, protocol.valid.liked, valid)}
    cost = {"fit_s": fit.seconds, "ask_s": ask.seconds, "peak_mb": max(fit.peak_mb, ask.peak_mb)}
    names = {
        "model": model,
        "shots": shots,
        "seed": seed,
        "device": accelerator() if "smollm2" in model else "",
        "trainable": scorer.trainable,
    }
    return names | {name: round(value, 4) for name, value in (found | scorer.numbers | cost).items()}, scores


def _kept(protocol: TallRec) -> dict[str, Any]:
    """What earlier runs left, or nothing but the rules."""
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf8")) if RESULTS.is_file() else {"rows": {}}
    rules = {
        RULES[0]: liked_share(protocol.test),
        RULES[1]: item_rate(protocol.train, protocol.test),
        RULES[2]: liked_share(protocol.test) + item_rate(protocol.train, protocol.test),
    }
    kept["rules"] = {name: judged([scores], protocol.test) for name, scores in rules.items()}
    return kept


def _write(kept: dict[str, Any], key: str, scores: Floats, protocol: TallRec) -> None:
    """Results with one more row, and the summary of every model and shots, over the seeds there are."""
    path = RESULTS.with_suffix(".npz")
    columns = dict(np.load(path)) if path.is_file() else {}
    columns[key] = scores.astype(np.float32)
    best = liked_share(protocol.test)
    kept["summary"] = []
    for group in dict.fromkeys(map(_group, kept["rows"].values())):
        rows = {k: row for k, row in kept["rows"].items() if _group(row) == group}
        told = judged([columns[k] for k in rows], protocol.test, best)
        means = {
            name: float(np.mean([row[name] for row in rows.values()]))
            for name in next(iter(rows.values()))
            if name in ("trainable", "valid auc", "valid uauc", "fit_s", "ask_s", "peak_mb")
        }
        seeds = [row["seed"] for row in rows.values()]
        model, shots, where = group
        kept["summary"].append({"model": model, "shots": shots, "device": where, "seeds": seeds, **told, **means})
    kept["machine"] = {**environment(), "load average": f"{os.getloadavg()[0]:.1f}"}
    np.savez_compressed(path, **columns)
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf8")


def _group(row: dict[str, Any]) -> tuple[str, int, str]:
    """What rows share that differ by seed alone."""
    return row["model"], row["shots"], row.get("device", "")


def judged(runs: list[Floats], rows: Asked, best: Floats | None = None) -> dict[str, Any]:
    """AUC and UAUC of runs with other seeds: means, intervals that resample users, deviation between the runs.

    best: scores of the rule that a model must be better than; both differences to it are paired over users.
    """
    rng = partial(Runtime(seed=0).rng, "tallrec")
    own = [user_auc(rows.user, rows.liked, one)[1].astype(np.float32) for one in runs]
    pooled, whole = np.array(runs), np.array([auc(rows.liked, one) for one in runs])
    mean: Floats = np.mean(own, axis=0)
    found: dict[str, Interval | None] = {
        "auc": auc_interval(rows.user, rows.liked, pooled, rng()),
        "uauc": interval(mean, rng()),
    }
    if best is not None:
        theirs = user_auc(rows.user, rows.liked, best)[1].astype(np.float32)
        found["auc over liked share"] = auc_interval(rows.user, rows.liked, pooled, rng(), less=best)
        found["uauc over liked share"] = interval(mean - theirs, rng())
    between = {"auc between": whole, "uauc between": np.array([np.nanmean(one) for one in own])}
    return {name: asdict(value) for name, value in found.items() if value} | {
        name: float(value.std(ddof=1)) if len(runs) > 1 else None for name, value in between.items()
    }


def _bi(method: str, protocol: TallRec, shots: Asked, runtime: Runtime) -> Scorer:
    model = learned(protocol.films, shots, protocol.valid, method, BI[method], BI_ROWS, runtime)
    return Scorer(model.scores, sum(part.numel() for part in model.parameters() if part.requires_grad))


def _cross(method: str, protocol: TallRec, shots: Asked, runtime: Runtime) -> Scorer:
    options = {**CROSS, **CROSS_BY_METHOD.get(method, {})}
    pairs = told_pairs(protocol.films, shots, titles=TITLES), asked_pairs(protocol.films, protocol.valid, titles=TITLES)
    ranker = RankerTrainer(RankerTrainerConfig(method=method, **options)).learn(*pairs, runtime)

    def scores(rows: Asked) -> Floats:
        asked = asked_pairs(protocol.films, rows, titles=TITLES)
        return ranker.scores(asked.people, asked.items, asked.prior)

    return Scorer(scores, ranker.record_["trainable"])


def _decoder(method: str | None, protocol: TallRec, shots: Asked, runtime: Runtime) -> Scorer:
    options = {name: value for name, value in DECODER.items() if name != "every_film"}
    config, films = LLMTrainerConfig(method=method or "lora", **options), protocol.films
    generator, trainable = generator_of(config), 0
    if method:
        course = tuned(films, shots, config, runtime, every_film=DECODER["every_film"])
        generator, trainable = course.generator, course.tuned.trainable()
    valid = protocol.valid
    said = log_odds_of_yes(generator, films, valid)
    heard, trust = weights(np.stack([said, _share(valid)], axis=1), valid.liked)
    alone = {"valid auc alone": auc(valid.liked, said), "valid uauc alone": uauc(valid.user, valid.liked, said)}

    def scores(rows: Asked) -> Floats:
        found: Floats = heard * log_odds_of_yes(generator, films, rows) + trust * _share(rows)
        return found

    return Scorer(scores, trainable, {**alone, "heard": heard, "trust": trust})


def _share(rows: Asked) -> Floats:
    """(N,) the log-odds of the liked share of the history."""
    return log_odds(rows.before_liked.sum(axis=1), rows.before.shape[1])


def weights(told: Floats, liked: Bools) -> tuple[float, float]:
    """How far to hear each of two columns: logistic regression, at least 0 each."""
    spread = np.maximum(told.std(axis=0), 1e-9)
    columns, sign = np.column_stack([told / spread, np.ones(len(told))]), np.where(liked, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin = sign * (columns @ weights)
        slope = -sign * expit(-margin)
        return float(np.logaddexp(0, -margin).mean()), slope @ columns / len(columns)

    bounds = [(0, None), (0, None), (None, None)]
    heard, trust, _ = minimize(loss, [0.5, 0.5, 0.0], jac=True, bounds=bounds).x
    return float(heard / spread[0]), float(trust / spread[1])


def _counted(protocol: TallRec, shots: Asked, runtime: Runtime) -> Scorer:
    return Scorer(lambda rows: liked_share(rows) + told_rate(shots, rows), 0)


# chosen on the validation rows
BI = {
    "head": LoopConfig(learning_rate=0.01, epochs=20, patience=3, weight_decay=0.01, warm_up=0.1, clip=1.0),
    "lora": LoopConfig(learning_rate=5e-4, epochs=3, patience=2, weight_decay=0.01, warm_up=0.1, clip=1.0),
    "full": LoopConfig(learning_rate=5e-5, epochs=3, patience=2, weight_decay=0.01, warm_up=0.1, clip=1.0),
}
BI_ROWS = 8
CROSS: dict[str, Any] = {"loss": "bce", "epochs": 3, "patience": 2, "batch": 32, "max_tokens": 128}
CROSS_BY_METHOD: dict[str, dict[str, Any]] = {"full": {"learning_rate": 5e-5}, "head": {"learning_rate": 1e-3}}
TITLES = False
# of eight settings at 256 shots and seed 0, by the mean of AUC and UAUC
DECODER: dict[str, Any] = {"epochs": 1, "batch": 8, "accumulate": 1, "learning_rate": 1e-3, "every_film": True}

MODELS: dict[str, Learn] = {
    COUNTED.replace(" ", "-"): _counted,
    "minilm-bi-head": partial(_bi, "head"),
    "minilm-bi-full": partial(_bi, "full"),
    "minilm-bi-lora": partial(_bi, "lora"),
    "minilm-cross-head": partial(_cross, "head"),
    "minilm-cross-full": partial(_cross, "full"),
    "smollm2": partial(_decoder, None),
    "smollm2-lora": partial(_decoder, "lora"),
    "minilm-cross-lora": partial(_cross, "lora"),  # at the method's usual learning rate
}

if __name__ == "__main__":
    main()
