"""A MiniLM cross-encoder on movielens-small by torch in fp32, by ONNX Runtime in fp32 and in int8.

    python -m benchmarks.int8_ranker RANKER [--data shared/data] [--sample 256] [--rounds 3]

RANKER is a folder; where it is missing the cross-encoder is taught first and saved there (20 minutes on a busy core):
LoRA, two epochs on what EASE recommends to people of the training part without their last like. All three read the
same pairs in the same batches on one thread, in turns, then the same candidates of EASE for the people of the test
part. Adds "ranker" to benchmarks/results/int8.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.int8 import DATA, NAMES, RESULT, machine
from benchmarks.sets.movielens import movielens_small
from palate import store
from palate.build import kinds
from palate.data.split import Split
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
from palate.types import Bools, Floats, Slate

READ = CrossEncoderConfig(dtype="fp32", history_chars=300, item_chars=200, max_tokens=128)
TAUGHT, CHOOSING = 75, 18  # lists
PRECISIONS: tuple[Precision, ...] = ("fp32", "int8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ranker", type=Path)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sample", type=int, default=256, help="pairs that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    _, cut = movielens_small(asked.data, Runtime())
    if not asked.ranker.exists():
        store.save(asked.ranker, taught(cut, Runtime()), {})
    found = measured(store.load(asked.ranker, kinds()), cut, asked.sample, asked.rounds) | {"machine": machine()}
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


def measured(ranker: CrossEncoder, cut: Split, sample: int, rounds: int) -> dict[str, Any]:
    """Speed on a sample of the test people's pairs, then agreement and NDCG@10 over all of them."""
    queries = cut.test.queries()
    slate = EASE().fit(cut.train, Runtime()).retrieve(queries, ranker.config.candidates)
    own = ordered(queries, slate)
    people, items, prior = ranker.pairs(queries, slate, own)
    drawn = np.random.default_rng(0).choice(len(people), min(sample, len(people)), replace=False)
    some = [people[row] for row in drawn], [items[row] for row in drawn], prior[drawn]
    with tempfile.TemporaryDirectory() as folder:
        readers = opened(ranker, Path(folder))
        seconds: list[list[float]] = [[] for _ in readers]
        for _ in range(rounds + 1):
            for reader, took in zip(readers, seconds, strict=True):
                start = time.process_time()
                reader.read(*some, ranker.config.batch_tokens)
                took.append(time.process_time() - start)
        seconds = [took[1:] for took in seconds]  # the first does not count
        scores = [reader.read(people, items, prior, ranker.config.batch_tokens) for reader in readers]
        alone = [readers[2].read([people[row]], [items[row]], prior[[row]], 1)[0] for row in drawn[:32]]
    orders = [_ordered(slate, own, each) for each in scores]
    own_orders = [_ordered(slate, own, each - ranker.weights_["trust"] * prior) for each in scores]
    values = [NDCG(k=10).per_user(each, cut.test.truth) for each in orders]
    return {
        "pairs": len(drawn),
        "of": len(people),
        "lists": int(own.any(axis=1).sum()),
        "people": int(np.isfinite(values[0]).sum()),
        "readers": {
            name: {
                "pairs_per_s": round(len(drawn) / statistics.median(seconds[row]), 1),
                "ratio": round(statistics.median(a / b for a, b in zip(seconds[0], seconds[row], strict=True)), 2),
                "difference": float(np.abs(scores[row] - scores[0]).max()),
                "top10": round(_overlap(orders[0], orders[row]), 4),
                "own top10": round(_overlap(own_orders[0], own_orders[row]), 4),
                "ndcg@10": float(np.nanmean(values[row])),
                "change": _change(values[row] - values[0]),
            }
            for row, name in enumerate(NAMES)
        },
        "spread": float(scores[0].std()),
        "own spread": float((scores[0] - ranker.weights_["trust"] * prior).std()),
        "as given": float(np.nanmean(NDCG(k=10).per_user(slate, cut.test.truth))),
        "int8 in another batch": float(np.abs(np.array(alone) - scores[2][drawn[:32]]).max()),
    }


def opened(ranker: CrossEncoder, folder: Path) -> list[Any]:
    """What reads, in the order of `NAMES`."""
    found: list[Any] = [ranker.open()]
    for precision in PRECISIONS:
        ranker.export(folder / precision, precision)
        found.append(Pairs.open(folder / precision, ranker.config.max_tokens))
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
