"""A made-up shop with a trained model in a folder, and the real `palate serve` over it as a process of its own."""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.scale import make_data
from palate import build
from palate.assets import model_folder
from palate.model import Model
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.runtime import Runtime

ADJECTIVES = (
    "amber brass coral dusty early faded gentle hollow ivory jagged kindled linen mossy narrow olive pale quiet"
)
NOUNS = (
    "anchor basket candle drawer engine feather garden hammer island jacket kettle lantern mirror needle oven pillow"
)
READ = 50  # candidates of the cross-encoder
READY_S = 3600.0  # the first start reads every title


@dataclass(frozen=True)
class Front:
    """A running service."""

    url: str
    key: str
    pid: int
    ready_s: float

    @property
    def rss_mb(self) -> float:
        """Its memory now."""
        lines = Path(f"/proc/{self.pid}/status").read_text("utf8").splitlines()
        return round(int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) / 1024, 1)


def shop(given: argparse.Namespace) -> tuple[Path, dict[str, object]]:
    """The folder of the model, trained if it is not there yet, and what is told of it."""
    name = f"{given.recipe.replace(',', '+')}-{given.items}-{given.events}"
    folder, told = given.work / name, given.work / f"{name}.json"
    if not told.is_file():
        start = time.perf_counter()
        data = make_data(argparse.Namespace(items=given.items, events=given.events, users=given.users, seed=given.seed))
        data = replace(data, items=replace(data.items, title=tuple(map(_title, range(given.items)))))
        recipe = given.recipe if given.recipe in build.RECIPES else build.Recipe(tuple(given.recipe.split(",")))
        recommender = build.fit(recipe, data, Runtime(seed=given.seed, quiet=False))
        decisions = build.decisions(recommender)
        about = {"recipe": given.recipe, "seed": given.seed, "data": data.fingerprint(), "decisions": decisions}
        Model(data, recommender, about).save(folder)
        made = {
            "recipe": given.recipe,
            "members": list(decisions.get("members", ())),
            "used": decisions.get("used", ""),
            "training_s": round(time.perf_counter() - start, 1),
        }
        told.write_text(json.dumps(made), encoding="utf8")
    return folder, json.loads(told.read_text("utf8"))


def read_by_cross_encoder(folder: Path) -> Path:
    """The same model with a cross-encoder over its first READ candidates.

    Its head is untrained, so it keeps their order; what it costs does not hang on what it learned.
    """
    from palate.model import load
    from palate.rank.reader import Reader

    other = folder.with_name(f"{folder.name}-cross")
    if not other.is_dir():
        model = load(folder)
        bare = CrossEncoder(CrossEncoderConfig(candidates=READ)).identified().about(model.data.items)
        reader = Reader.open(model_folder(bare.config.model), bare.config.max_tokens, bare.config.dtype)
        ranker = replace(bare, weights_=reader.learning(bare.method_).learned())
        recommender = replace(model.recommender, rankers=(*model.recommender.rankers, ranker))
        replace(model, recommender=recommender).save(other)
    return other


@contextmanager
def running(model: Path, state: Path, **options: object) -> Iterator[Front]:
    """`palate serve MODEL` until the end of the block; its log is beside its state."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state.mkdir(parents=True, exist_ok=True)
    told = {f"PALATE_SERVE_{name.upper()}": str(value) for name, value in options.items()}
    line = [sys.executable, "-m", "palate", "serve", str(model), "--state", str(state), "--port", str(port)]
    start = time.perf_counter()
    with (state / "serve.log").open("w", encoding="utf8") as log:
        process = subprocess.Popen(line, env=os.environ | told, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            while not _ready(url):
                if process.poll() is not None or time.perf_counter() - start > READY_S:
                    raise SystemExit(f"palate serve did not start; see {state / 'serve.log'}")
                time.sleep(0.05)
            ready_s = round(time.perf_counter() - start, 2)
            yield Front(url, (state / "admin.key").read_text("utf8").strip(), process.pid, ready_s)
        finally:
            process.terminate()
            process.wait(60)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _title(row: int) -> str:
    """Two words and a number; no two items have the same."""
    first, second = ADJECTIVES.split(), NOUNS.split()
    return f"{first[row % len(first)]} {second[row // len(first) % len(second)]} {row}"
