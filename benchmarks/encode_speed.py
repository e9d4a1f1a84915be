"""Titles a second, side by side: sentence-transformers' plain `encode` and Palate's encoder, in turns, in one process.

    python -m benchmarks.encode_speed [--titles ITEMS.tsv] [--sample 4096] [--rounds 5] [--threads N]

The vectors of both are compared one by one. Nothing is read from the cache of vectors. Prints JSON.
"""

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer

from palate import assets
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.runtime import Runtime
from palate.types import Floats

TITLES = Path(__file__).parents[2] / "shared" / "data" / "llmrank-games" / "items.tsv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titles", type=Path, default=TITLES, help="a TSV file with a column title")
    parser.add_argument("--sample", type=int, default=4096, help="how many of them, 0 for all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="1 is fairest on a busy machine")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    titles = _titles(asked.titles, asked.sample)
    print(json.dumps(measure(titles, asked.rounds), indent=2))


def measure(titles: list[str], rounds: int) -> dict[str, object]:
    """Texts a second (wall and processor time, median of the rounds), the ratio of each round, cosines."""
    plain = SentenceTransformer(str(assets.fetch("all-minilm-l6-v2")), device="cpu")
    ours = TransformerEncoder(TransformerConfig(cache=False)).fit([], Runtime())
    runs: dict[str, Callable[[], Floats]] = {
        "sentence-transformers": lambda: plain.encode(titles),
        "palate": lambda: ours.encode(titles, role="item"),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    vectors = {name: run() for name, run in runs.items()}  # a first round that does not count
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run()
            seconds[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    theirs, mine = vectors.values()
    cosine = (theirs * mine).sum(axis=1) / np.linalg.norm(theirs, axis=1) / np.linalg.norm(mine, axis=1)
    ratios = [their[0] / my[0] for their, my in zip(*seconds.values(), strict=True)]
    return {
        "texts": len(titles),
        "distinct": len(set(titles)),
        "rounds": rounds,
        "texts_per_s": {name: _rate(titles, [wall for wall, _ in took]) for name, took in seconds.items()},
        "texts_per_processor_s": {name: _rate(titles, [cpu for _, cpu in took]) for name, took in seconds.items()},
        "ratio": {
            "median": round(statistics.median(ratios), 2),
            "least": round(min(ratios), 2),
            "most": round(max(ratios), 2),
        },
        "cosine": {"least": round(float(cosine.min()), 6), "mean": round(float(cosine.mean()), 6)},
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
        "versions": {one.__name__: one.__version__ for one in (torch, transformers, sentence_transformers)},
    }


def _rate(titles: list[str], seconds: list[float]) -> float:
    return round(len(titles) / statistics.median(seconds), 1)


def _titles(path: Path, sample: int) -> list[str]:
    header, *rows = path.read_text(encoding="utf8").splitlines()
    column = header.split("\t").index("title")
    titles = [row.split("\t")[column] for row in rows]
    return random.Random(0).sample(titles, sample) if 0 < sample < len(titles) else titles


if __name__ == "__main__":
    main()
