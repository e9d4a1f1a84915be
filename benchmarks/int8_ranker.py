"""A MiniLM cross-encoder on movielens-small by torch in fp32 and bf16, by ONNX Runtime in fp32 and in int8.

    python -m benchmarks.int8_ranker RANKER [--data shared/data] [--sample 256] [--rounds 3] [--people 200]

RANKER is a folder; where it is missing the cross-encoder is taught first and saved there (20 minutes on a busy core):
LoRA, two epochs on what EASE recommends to people of the training part without their last like. All read the same
pairs in the same batches on one processor, in turns, then the same candidates of EASE for the people of the test part,
and for people whose last event is held out; bf16 only where the processor has it. Adds "ranker" to
benchmarks/results/int8.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from benchmarks.int8 import DATA, RESULT, machine, names, one_processor, times
from benchmarks.sets.movielens import movielens_small
from palate import store
from palate.build import kinds
from palate.data.split import Split, split
from palate.evaluation.compare import interval
from palate.exported.graph import Precision
from palate.metrics.accuracy import NDCG
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.features import ordered
from palate.rank.onnx import Pairs
from palate.retrieve.ease import EASE
from palate.runtime import Runtime
from palate.train.examples import listed
from palate.train.holdout import hold_out
from palate.train.ranker import RankerTrainer, RankerTrainerConfig
from palate.types import Bools, Floats, Ragged, Slate

READ = CrossEncoderConfig(dtype="fp32", history_chars=300, item_chars=200, max_tokens=128)
TAUGHT, CHOOSING = 75, 18  # lists


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ranker", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sample", type=int, default=256, help="pairs that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=200, help="of those whose last event is held out")
    asked = parser.parse_args()
    one_processor()
    data, cut = movielens_small(asked.data, Runtime())
    if not asked.ranker.exists():
        store.save(asked.ranker, taught(cut, Runtime()), {})
    ranker = store.load(asked.ranker, kinds())
    last = split(data, "leave-last-out", Runtime())
    with tempfile.TemporaryDirectory() as folder:
        readers = opened(ranker, Path(folder))
        found = measured(ranker, readers, cut, asked.sample, asked.rounds) | {"machine": machine()}
        found["last"] = of_last(ranker, readers, last, asked.people)
    known = json.loads(RESULT.read_text(encoding="utf8"))
    RESULT.write_text(json.dumps({**known, "ranker": found}, indent=2) + "\n", encoding="utf8")
    print(json.dumps(found, indent=2))


def taught(cut: Split, runtime: Runtime) -> CrossEncoder:
    """Whether it betters the order that it is given does not count here."""
    rest, queries, targets = hold_out(cut.train, 4000, runtime.rng("int8"))
    slate = EASE().fit(rest, runtime).retrieve(queries, READ.candidates)
    wanted = slate.items == targets[:, None]
    met = np.flatnonzero(wanted.any(axis=1) & ordered(queries, slate).any(axis=1))
    bare = CrossEncoder(READ).identified().about(cut.train.items)
    parts = (
        listed(bare, queries.take(rows), slate.take(rows), wanted[rows].astype(np.float32))
        for rows in (met[:TAUGHT], met[TAUGHT : TAUGHT + CHOOSING])
    )
    options = {name: getattr(READ, name) for name in ("dtype", "history_chars", "item_chars", "max_tokens")}
    trainer = RankerTrainer(RankerTrainerConfig(method="lora", epochs=2, **options))
    return trainer.learn(*parts, runtime, bare)


def measured(ranker: CrossEncoder, readers: dict[str, Any], cut: Split, sample: int, rounds: int) -> dict[str, Any]:
    """Speed on a sample of the test people's pairs, then agreement and NDCG@10 over all of them."""
    queries = cut.test.queries()
    slate = EASE().fit(cut.train, Runtime()).retrieve(queries, ranker.config.candidates)
    own = ordered(queries, slate)
    people, items, prior = ranker.pairs(queries, slate, own)
    drawn = np.random.default_rng(0).choice(len(people), min(sample, len(people)), replace=False)
    some = [people[row] for row in drawn], [items[row] for row in drawn], prior[drawn]
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds + 1):
        for name, reader in readers.items():
            start = time.process_time()
            reader.read(*some, ranker.config.batch_tokens)
            seconds[name].append(time.process_time() - start)
    seconds = {name: took[1:] for name, took in seconds.items()}  # the first does not count
    quick = readers["onnx int8"]
    alone = [quick.read([people[row]], [items[row]], prior[[row]], 1)[0] for row in drawn[:32]]
    scores = {name: reader.read(people, items, prior, ranker.config.batch_tokens) for name, reader in readers.items()}
    plain = scores["torch fp32"]
    trusted = ranker.weights_["trust"] * prior
    told = _compared(slate, own, scores, cut.test.truth)
    unprimed = _compared(slate, own, {name: each - trusted for name, each in scores.items()}, cut.test.truth)
    return {
        "pairs": len(drawn),
        "of": len(people),
        "lists": int(own.any(axis=1).sum()),
        "people": told["people"],
        "readers": {
            name: {
                "pairs_per_s": round(len(drawn) / statistics.median(seconds[name]), 1),
                "ratio": times(seconds["torch fp32"], seconds[name]),
                "ratio to onnx": times(seconds["onnx fp32"], seconds[name]),
                "difference": float(np.abs(scores[name] - plain).max()),
                **told["readers"][name],
                "own top10": unprimed["readers"][name]["top10"],
            }
            for name in readers
        },
        "spread": float(plain.std()),
        "own spread": float((plain - trusted).std()),
        "as given": float(np.nanmean(NDCG(k=10).per_user(slate, cut.test.truth))),
        "int8 in another batch": float(np.abs(np.array(alone) - scores["onnx int8"][drawn[:32]]).max()),
    }


def of_last(ranker: CrossEncoder, readers: dict[str, Any], cut: Split, people: int) -> dict[str, Any]:
    """Agreement and NDCG@10 for people drawn from those of the test part, whose lists are all read."""
    drawn = np.sort(np.random.default_rng(0).permutation(len(cut.test))[:people])
    queries, truth = cut.test.queries().take(drawn), cut.test.truth.take(drawn)
    slate = EASE().fit(cut.train, Runtime()).retrieve(queries, ranker.config.candidates)
    own = ordered(queries, slate)
    pairs = ranker.pairs(queries, slate, own)
    asked = {name: reader for name, reader in readers.items() if name != "onnx fp32"}  # says what torch says
    scores = {name: reader.read(*pairs, ranker.config.batch_tokens) for name, reader in asked.items()}
    return {**_compared(slate, own, scores, truth), "lists": int(own.any(axis=1).sum())}


def _compared(slate: Slate, own: Bools, scores: dict[str, Floats], truth: Ragged) -> dict[str, Any]:
    """Lists in the order of each reader's scores, beside those of torch in fp32."""
    orders = {name: _ordered(slate, own, each) for name, each in scores.items()}
    values = {name: NDCG(k=10).per_user(each, truth) for name, each in orders.items()}
    plain = values["torch fp32"]
    return {
        "people": int(np.isfinite(plain).sum()),
        "readers": {
            name: {
                "top10": round(_overlap(orders["torch fp32"], orders[name]), 4),
                "ndcg@10": float(np.nanmean(values[name])),
                "change": _change(values[name] - plain),
            }
            for name in scores
        },
    }


def opened(ranker: CrossEncoder, folder: Path) -> dict[str, Any]:
    """What reads, by name."""
    found: dict[str, Any] = {}
    for name in names():
        by, precision = name.split()
        if by == "torch":
            found[name] = replace(ranker, config=replace(ranker.config, dtype=precision)).open()
        else:
            ranker.export(folder / precision, cast("Precision", precision))
            found[name] = Pairs.open(folder / precision, ranker.config.max_tokens)
    return found


def _ordered(slate: Slate, own: Bools, scores: Floats) -> Slate:
    """The slate in the order of the scores of its marked places; lists without any stay as they are."""
    told = own.any(axis=1)
    placed = np.where(told[:, None], -np.inf, slate.scores).astype(np.float32)
    placed[own] = scores
    return Slate.best(slate.items, placed, slate.k)


def _overlap(first: Slate, second: Slate) -> float:
    """How many of each list's first ten are the same, as a share."""
    pairs = zip(first.items[:, :10], second.items[:, :10], strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))


def _change(values: Floats) -> dict[str, float]:
    found = interval(values, np.random.default_rng(0))
    return {"mean": found.mean, "low": found.low, "high": found.high}


if __name__ == "__main__":
    main()
