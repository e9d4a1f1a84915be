"""Film texts by torch in fp32, by ONNX Runtime in fp32 and in int8: speed, agreement, and what zero-shot lists lose.

    python -m benchmarks.int8 [--data shared/data] [--sample 256] [--rounds 3]

All three read the same texts in the same batches on one thread, in turns. Saves benchmarks/results/int8.json.
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
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.sets.movielens import movielens_small
from palate.data.split import Split
from palate.encode.onnx import Vectors
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.evaluation.compare import interval
from palate.evaluation.ranking import answered
from palate.metrics.accuracy import NDCG
from palate.pipeline import Recommender
from palate.precision import quick
from palate.retrieve.dense import Dense, DenseConfig
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.types import Floats

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULT = Path(__file__).parent / "results" / "int8.json"
NAMES = ("torch fp32", "onnx fp32", "onnx int8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sample", type=int, default=256, help="texts that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    encoder = TransformerEncoder(TransformerConfig(dtype="fp32")).fit([], Runtime())
    data, cut = movielens_small(asked.data, Runtime())
    texts = list(item_texts(data.items))
    drawn = [texts[row] for row in np.random.default_rng(0).choice(len(texts), asked.sample, replace=False)]
    kept = json.loads(RESULT.read_text(encoding="utf8")) if RESULT.exists() else {}
    found = {**kept, **measured(encoder, drawn, asked.rounds), "machine": machine()}
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf8")
    RESULT.write_text(json.dumps(found := {**found, **lists(encoder, cut)}, indent=2) + "\n", encoding="utf8")
    print(json.dumps(found, indent=2))


def measured(encoder: TransformerEncoder, texts: list[str], rounds: int) -> dict[str, Any]:
    """Texts per processor second (median of the rounds), cosines and neighbours in common with torch."""
    config = encoder.config
    with tempfile.TemporaryDirectory() as folder:
        networks: list[Any] = [encoder.open()]
        for precision in ("fp32", "int8"):
            encoder.export(Path(folder) / precision, precision)
            networks.append(Vectors.open(Path(folder) / precision, config.max_tokens))
        vectors = [network.encode(texts, config.batch_tokens) for network in networks]  # does not count
        seconds: list[list[float]] = [[] for _ in networks]
        for _ in range(rounds):
            for network, took in zip(networks, seconds, strict=True):
                start = time.process_time()
                network.encode(texts, config.batch_tokens)
                took.append(time.process_time() - start)
        alone = np.concatenate([networks[2].encode([text], config.batch_tokens) for text in texts[:64]])
    return {
        "texts": len(texts),
        "texts_per_s": {
            name: round(len(texts) / statistics.median(took), 1) for name, took in zip(NAMES, seconds, strict=True)
        },
        "ratio": {
            name: round(statistics.median(a / b for a, b in zip(seconds[0], took, strict=True)), 2)
            for name, took in zip(NAMES, seconds, strict=True)
        },
        "cosine": {name: _cosine(vectors[0], each) for name, each in zip(NAMES, vectors, strict=True)},
        "top10": {name: round(_overlap(vectors[0], each), 4) for name, each in zip(NAMES, vectors, strict=True)},
        "int8 in another batch": float(np.abs(alone - vectors[2][:64]).max()),
    }


def lists(encoder: TransformerEncoder, cut: Split) -> dict[str, Any]:
    """NDCG@10 of zero-shot on the test part with each arithmetic, and the paired difference."""
    plain = "auto" if quick("cpu") == torch.float32 else "fp32"  # the same arithmetic, probably remembered
    values = [_ndcg(replace(encoder, config=replace(encoder.config, dtype=dtype)), cut) for dtype in (plain, "int8")]
    change = interval(values[1] - values[0], np.random.default_rng(0))
    means = [float(np.nanmean(each)) for each in values]
    return {
        "ndcg@10": {"fp32": means[0], "int8": means[1], "kept": means[1] / means[0], "people": int(change.n)},
        "change": {"mean": change.mean, "low": change.low, "high": change.high},
    }


def _ndcg(encoder: TransformerEncoder, cut: Split) -> Floats:
    """(Q,) of the zero-shot recipe's part with its options fixed."""
    retriever = Dense(DenseConfig(focus=4.0), encoder=encoder).fit(cut.train, Runtime())
    slate = answered(Recommender(retriever), cut.test, 10, Runtime())
    return NDCG(k=10).per_user(slate, cut.test.truth)


def machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
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
