"""Film texts by torch in fp32 and bf16, by ONNX Runtime in fp32 and int8: speed, agreement, what zero-shot lists lose.

    python -m benchmarks.int8 [--data shared/data] [--sample 256] [--rounds 3]

All read the same texts in the same batches on one processor, in turns; bf16 only where the processor has it. Saves
benchmarks/results/int8.json.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
import torch

from benchmarks.sets.movielens import movielens_small
from palate.data.split import Holdout, Split, split
from palate.encode.onnx import Vectors
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.evaluation.compare import interval
from palate.evaluation.ranking import answered
from palate.exported.graph import Precision
from palate.metrics.accuracy import NDCG
from palate.pipeline import Recommender
from palate.precision import quick
from palate.retrieve.dense import Dense, DenseConfig
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.types import Floats, Ints

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULT = Path(__file__).parent / "results" / "int8.json"
NAMES = ("torch fp32", "torch bf16", "onnx fp32", "onnx int8")
INSTRUCTIONS = ("avx2", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
ASKED = ("time", "leave-last-out", "random-per-user")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sample", type=int, default=256, help="texts that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    one_processor()
    encoder = TransformerEncoder(TransformerConfig(dtype="fp32")).fit([], Runtime())
    data, _ = movielens_small(asked.data, Runtime())
    texts = list(item_texts(data.items))
    drawn = [texts[row] for row in np.random.default_rng(0).choice(len(texts), asked.sample, replace=False)]
    found = {**measured(encoder, drawn, asked.rounds), "machine": machine()}
    keep(found)
    keep(found := found | {"lists": [row for name in ASKED for row in lists(encoder, split(data, name, Runtime()))]})
    print(json.dumps(found, indent=2))


def keep(found: dict[str, Any]) -> None:
    """Save these beside what is known of the ranker."""
    known = json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}
    kept = {"ranker": known["ranker"]} if "ranker" in known else {}
    RESULT.write_text(json.dumps(found | kept, indent=2) + "\n", encoding="utf8")


def one_processor() -> None:
    """Take one of the processors for this process, whatever the libraries would take."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)


def names() -> tuple[str, ...]:
    """What reads here."""
    return tuple(name for name in NAMES if name != "torch bf16" or quick("cpu") == torch.bfloat16)


def measured(encoder: TransformerEncoder, texts: list[str], rounds: int) -> dict[str, Any]:
    """Texts per processor second (median of the rounds), cosines and neighbours in common with torch."""
    config = encoder.config
    with tempfile.TemporaryDirectory() as folder:
        networks: dict[str, Any] = {}
        for name in names():
            by, precision = name.split()
            if by == "torch":
                networks[name] = replace(encoder, config=replace(config, dtype=precision)).open()
            else:
                encoder.export(Path(folder) / precision, cast("Precision", precision))
                networks[name] = Vectors.open(Path(folder) / precision, config.max_tokens)
        vectors = {name: network.encode(texts, config.batch_tokens) for name, network in networks.items()}  # uncounted
        seconds: dict[str, list[float]] = {name: [] for name in networks}
        for _ in range(rounds):
            for name, network in networks.items():
                start = time.process_time()
                network.encode(texts, config.batch_tokens)
                seconds[name].append(time.process_time() - start)
        alone = np.concatenate([networks["onnx int8"].encode([text], config.batch_tokens) for text in texts[:64]])
    plain = vectors["torch fp32"]
    return {
        "texts": len(texts),
        "texts_per_s": {name: round(len(texts) / statistics.median(took), 1) for name, took in seconds.items()},
        "ratio": {name: times(seconds["torch fp32"], took) for name, took in seconds.items()},
        "ratio to onnx": {name: times(seconds["onnx fp32"], took) for name, took in seconds.items()},
        "cosine": {name: _cosine(plain, each) for name, each in vectors.items()},
        "top10": {name: round(_overlap(plain, each), 4) for name, each in vectors.items()},
        "int8 in another batch": float(np.abs(alone - vectors["onnx int8"][:64]).max()),
    }


def times(first: list[float], second: list[float]) -> float:
    """How many times as fast the second was, by the median of the rounds."""
    return round(statistics.median(a / b for a, b in zip(first, second, strict=True)), 2)


def lists(encoder: TransformerEncoder, cut: Split) -> list[dict[str, Any]]:
    """NDCG@10 of zero-shot with each arithmetic on the test part and on both held-out parts, and the paired difference
    to fp32; people are resampled, with all that was asked for each."""
    found: dict[str, tuple[Floats, Floats]] = {}
    for dtype in ("fp32", *(name.split()[1] for name in names() if not name.endswith("fp32"))):
        retriever = Dense(
            DenseConfig(focus=4.0), encoder=replace(encoder, config=replace(encoder.config, dtype=dtype))
        ).fit(cut.train, Runtime())
        found[dtype] = (_ndcg(retriever, cut.test), _ndcg(retriever, cut.validation))
    users = np.concatenate([cut.test.users, cut.validation.users])
    rows: list[dict[str, Any]] = []
    for parts, size in (("test", len(cut.test)), ("test and validation", len(users))):
        values = {dtype: np.concatenate(both)[:size] for dtype, both in found.items()}
        rows.append(
            {
                "split": cut.name,
                "parts": parts,
                "people": len(np.unique(users[:size])),
                "ndcg@10": {dtype: float(np.nanmean(each)) for dtype, each in values.items()},
                "kept": {dtype: _kept(each, values["fp32"], users[:size]) for dtype, each in values.items()},
            }
        )
    return rows


def _ndcg(retriever: Dense, holdout: Holdout) -> Floats:
    """(Q,) of the zero-shot recipe's part with its options fixed."""
    return NDCG(k=10).per_user(answered(Recommender(retriever), holdout, 10, Runtime()), holdout.truth)


def _kept(values: Floats, plain: Floats, users: Ints) -> dict[str, float]:
    """The mean as a share of the plain mean, and the interval of the difference in the same unit."""
    change, whole = interval(values - plain, np.random.default_rng(0), users), float(np.nanmean(plain))
    return {name: 1 + getattr(change, name) / whole for name in ("mean", "low", "high")}


def machine() -> dict[str, Any]:
    able = torch.cpu.get_capabilities()
    return {
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "instructions": [name for name in INSTRUCTIONS if able.get(name)],
        "cores": os.cpu_count(),
        "threads": 1,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
    }


def _cosine(first: Floats, second: Floats) -> dict[str, float]:
    cosines = (first * second).sum(axis=1)
    return {"mean": round(float(cosines.mean()), 5), "least": round(float(cosines.min()), 5)}


def _overlap(first: Floats, second: Floats) -> float:
    """How many of each text's ten nearest are the same, as a share."""
    near = []
    for vectors in (first, second):
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -np.inf)
        near.append(np.argsort(-cosines, axis=1, kind="stable")[:, :10])
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(*near, strict=True)]))


if __name__ == "__main__":
    main()
