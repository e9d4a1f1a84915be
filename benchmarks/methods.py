"""Every tuning method on one network, the same examples and people: `python -m benchmarks.methods`.

Encoder: MiniLM on MovieLens-small's train part of the time split. Decoder (`--network decoder`): SmolLM2-135M on 64
shots of TALLRec's movie rows. Each method in a process of its own, so that its memory is its own; one setting for all,
each method at its usual learning rate: nothing was searched.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.asked import generator_of, log_odds_of_yes, tuned
from benchmarks.sets.movielens import movielens_small
from benchmarks.sets.tallrec import tallrec
from benchmarks.tallrec import judged
from palate.evaluation.cost import measured
from palate.evaluation.environment import environment
from palate.runtime import Runtime
from palate.train.course import EncoderTunerConfig
from palate.train.diary import peak_mb
from palate.train.encoder import EncoderTuner
from palate.train.llm import LLMTrainerConfig
from palate.tuning.methods import METHODS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
SETTING = {
    "person": "items",
    "pairs": 320,
    "epochs": 2,
    "max_tokens": 32,
    "last": 3,
    "held_out": 200,
    "catalogue": 1000,
}
UNTUNED = "untuned"  # the decoder as it is, beside its methods
SHOTS, ASKED = 64, 400  # rows that teach, and rows of validation that are asked
DECODER = {"epochs": 2, "batch": 4, "accumulate": 1}


def main() -> None:
    """Run the methods one after the other and keep a row of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("encoder", "decoder"), default="encoder")
    parser.add_argument("--methods", help="by comma; all that the network allows if none is given")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--alone", metavar="METHOD", help="this one, in this process, printed as JSON")
    given = parser.parse_args()
    run = _encoder if given.network == "encoder" else _decoder
    if given.alone:
        print(json.dumps(run(given.alone, given.data) | {"machine": environment()}))
        return
    path = RESULTS / ("methods.json" if given.network == "encoder" else "methods_decoder.json")
    kept = json.loads(path.read_text("utf8")) if path.is_file() else {"rows": {}}
    kept["setting"] = SETTING if given.network == "encoder" else {"shots": SHOTS, "asked": ASKED, **DECODER}
    possible = [name for name, method in METHODS.items() if given.network in method.kinds]
    possible += [UNTUNED] if given.network == "decoder" else []
    for method in given.methods.split(",") if given.methods else possible:
        words = [sys.executable, "-m", "benchmarks.methods", "--network", given.network, "--alone", method]
        told = subprocess.run([*words, "--data", str(given.data)], check=True, capture_output=True, text=True).stdout
        row = json.loads(told.splitlines()[-1])
        kept |= {"seed": 0, "machine": row.pop("machine")}
        kept["rows"][method] = row
        path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf8")
        print(method, row, flush=True)


def _encoder(method: str, data: Path) -> dict[str, object]:
    """What is told of one method on the encoder."""
    _, cut = movielens_small(data, Runtime(seed=0))
    config = EncoderTunerConfig(method=method, **SETTING)
    with tempfile.TemporaryDirectory() as folder:
        record = EncoderTuner(config).fit(cut.train, Path(folder) / "out", Runtime(seed=0, quiet=True))
    names = ("trainable", "weights", "examples", "epochs", "held_out", "seconds", "peak_mb", "part_mb")
    return {name: record[name] for name in names}


def _decoder(method: str, data: Path) -> dict[str, object]:
    """What is told of one method on the decoder, or of the decoder untuned: of the model alone, without the liked share
    beside it."""
    rows, config = tallrec(data), LLMTrainerConfig(**DECODER)
    generator, numbers = generator_of(config), {"trainable": 0, "seconds": 0.0, "part_mb": 0.0}
    if method != UNTUNED:
        shots, config = rows.train.shots(SHOTS, 0), replace(config, method=method)
        course, cost = measured(lambda: tuned(rows.films, shots, config, Runtime(seed=0)))
        with tempfile.TemporaryDirectory() as folder:
            course.tuned.save(Path(folder))
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        numbers = {"trainable": course.tuned.trainable(), "seconds": cost.seconds, "part_mb": size / 1e6}
        generator = course.generator
    drawn = np.random.default_rng(0).permutation(len(rows.valid))[:ASKED]
    asked = rows.valid.take(np.sort(drawn))
    found = judged([log_odds_of_yes(generator, rows.films, asked)], asked)
    return {"auc": found["auc"], "uauc": found["uauc"], **numbers, "peak_mb": peak_mb()}


if __name__ == "__main__":
    main()
