"""The index of large catalogues beside exact search: milliseconds, what it misses, seconds and memory to make it.

    python -m benchmarks.index [--data shared/data] [--sizes 50000,100000,300000,1000000]

The vectors are MiniLM's of the texts of four catalogues, and between them made ones: a text's vector moved by a part of
the difference of two others, so that the cloud keeps its shape. Asked are texts that were held out, and tags that
people gave films, which are unlike any item's text. Processor time of one thread, as other programs run on the machine.
Saves benchmarks/results/index.json.
"""

import argparse
import csv
import json
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.sets.movielens import movielens_small
from benchmarks.sets.shops import beauty, games, industrial
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.evaluation.environment import environment
from palate.retrieve.approximate import Approximate, Codes, searched
from palate.retrieve.axes import directions, project
from palate.retrieve.exact import LongestFirst
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.types import STRANGER, Floats, Ints, Queries, Ragged
from palate.vectors import unit_rows

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULT = Path(__file__).parent / "results" / "index.json"
ASKED = 200  # requests of each kind
TOGETHER = 16  # requests that the service answers at once
MOVED = (0.1, 0.6)  # how far a made vector lies from a text's
STEP = 50_000  # vectors made at once


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sizes", default="50000,100000,300000,1000000")
    given = parser.parse_args()
    texts, asked = real(given.data)
    found: dict[str, Any] = {"texts": len(texts), "asked": ASKED, "dim": texts.shape[1], "machine": environment()}
    found["faiss"], found["sizes"] = faiss.__version__, {}
    with threadpool_limits(1):
        faiss.omp_set_num_threads(1)
        for size in map(int, given.sizes.split(",")):
            found["sizes"][str(size)] = measured(grown(texts, size), asked)
            print(size, json.dumps(found["sizes"][str(size)]), flush=True)
            RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf8")


def real(folder: Path) -> tuple[Floats, dict[str, Floats]]:
    """The vectors of texts, as `Dense` compares them, and of what is asked."""
    catalogues = [read(folder, Runtime())[0].items for read in (beauty, industrial, games, movielens_small)]
    texts = list(dict.fromkeys(text for items in catalogues for text in item_texts(items) if text.strip()))
    with (folder / "movielens-small" / "tags.csv").open(encoding="utf8") as file:
        tags = sorted({row["tag"] for row in csv.DictReader(file)})
    rng = np.random.default_rng(0)
    encoder = TransformerEncoder(TransformerConfig()).fit([], Runtime())
    vectors = encoder.encode(texts, role="item")[rng.permutation(len(texts))]
    mean, axes = directions(vectors[ASKED:], centre=True, whiten=0.0)
    words = encoder.encode([tags[row] for row in rng.permutation(len(tags))[:ASKED]], role="query")
    asked = {"titles": project(vectors[:ASKED], mean, axes), "tags": project(words, mean, axes)}
    return project(vectors[ASKED:], mean, axes), asked


def grown(texts: Floats, size: int) -> Floats:
    """(size, dim) the vectors of texts and made ones."""
    rng = np.random.default_rng(1)
    vectors = np.empty((size, texts.shape[1]), np.float32)
    vectors[: len(texts)] = texts[:size]
    for start in range(len(texts), size, STEP):
        part = vectors[start : start + STEP]
        own, first, second = rng.integers(0, len(texts), (3, len(part)))
        moved = rng.uniform(*MOVED, (len(part), 1)).astype(np.float32)
        part[:] = unit_rows(texts[own] + moved * (texts[first] - texts[second]))
    return vectors


def measured(vectors: Floats, asked: dict[str, Floats]) -> dict[str, Any]:
    start = time.process_time()
    codes = Codes.of(vectors, Runtime().rng("codes"))
    made = time.process_time() - start
    start = time.process_time()
    index = searched(vectors, codes, 0)
    opened = time.process_time() - start
    exact = LongestFirst.of(vectors)
    found: dict[str, Any] = {"build_s": round(made, 1), "open_s": round(opened, 2)}
    found |= {"vectors_mb": round(vectors.nbytes / 1e6), "codes_mb": round(codes.codes.nbytes / 1e6)}
    both: dict[str, LongestFirst | Approximate] = {"exact": exact, "approximate": index}
    for name, search in both.items():
        for together in (1, TOGETHER):
            found[f"{name}_ms_{together}"] = round(_ms(search, asked["titles"], together), 2)
    for kind, requests in asked.items():
        for k in (10, 100):
            lists = [search.best(requests, _nobody(len(requests)), k).items for search in both.values()]
            found[f"{kind} recall@{k}"] = round(_shared(*lists), 4)
    return found


def _ms(search: LongestFirst | Approximate, requests: Floats, together: int) -> float:
    """Processor milliseconds of a list of 10: the median over batches."""
    took = []
    for start in range(0, min(len(requests), 5 * TOGETHER) - together + 1, together):
        before = time.process_time()
        search.best(requests[start : start + together], _nobody(together), 10)
        took.append(time.process_time() - before)
    return 1e3 * float(np.median(took)) / together


def _nobody(n: int) -> Queries:
    return Queries(np.full(n, STRANGER, np.int32), Ragged.empty(n), Ragged.empty(n), ("",) * n)


def _shared(exact: Ints, approximate: Ints) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(exact, approximate, strict=True)]))


if __name__ == "__main__":
    main()
