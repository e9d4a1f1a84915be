"""Every tuning method on one network, the same examples and people: `python -m benchmarks.methods`.

Encoder: MiniLM on MovieLens-small's train part of the time split. Decoder (`--network decoder`): SmolLM2-135M on 256
shots of TALLRec's movie rows. Each method in a process of its own, so that its memory is its own; one setting for all,
each method at its usual learning rate: nothing was searched.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.asked import log_odds_of_yes, tuned
from benchmarks.sets.movielens import movielens_small
from benchmarks.sets.tallrec import tallrec
from palate.evaluation.cost import measured
from palate.evaluation.environment import environment
from palate.metrics.accuracy import auc, uauc
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
SHOTS = 256
DECODER = {"epochs": 3, "batch": 4, "accumulate": 1}


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
    kept["setting"] = SETTING if given.network == "encoder" else {"shots": SHOTS, **DECODER}
    possible = [name for name, method in METHODS.items() if given.network in method.kinds]
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
    """What is told of one method on the decoder: of the model alone, without the liked share beside it."""
    rows = tallrec(data)
    config = LLMTrainerConfig(method=method, **DECODER)
    course, cost = measured(lambda: tuned(rows.films, rows.train.shots(SHOTS, 0), config, Runtime(seed=0)))
    scores = log_odds_of_yes(course.generator, rows.films, rows.valid)
    with tempfile.TemporaryDirectory() as folder:
        course.tuned.save(Path(folder))
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {
        "auc": auc(rows.valid.liked, scores),
        "uauc": uauc(rows.valid.user, rows.valid.liked, scores),
        "trainable": course.tuned.trainable(),
        "seconds": cost.seconds,
        "peak_mb": peak_mb(),
        "part_mb": size / 1e6,
    }


if __name__ == "__main__":
    main()
