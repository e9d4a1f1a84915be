"""Every tuning method on one encoder, the same pairs and people: `python -m benchmarks.methods`.

MovieLens-small's train part of the time split; MiniLM; each method in a process of its own, so that its memory is its
own. One setting for all, each method at its usual learning rate: nothing was searched.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.sets.movielens import movielens_small
from palate.evaluation.environment import environment
from palate.runtime import Runtime
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
from palate.tuning.methods import METHODS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "methods.json"
SETTING = {
    "person": "items",
    "pairs": 320,
    "epochs": 2,
    "max_tokens": 32,
    "last": 3,
    "held_out": 200,
    "catalogue": 1000,
}


def main() -> None:
    """Run the methods one after the other and keep a row of each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=",".join(METHODS), help="by comma")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data")
    parser.add_argument("--alone", metavar="METHOD", help="this one, in this process, printed as JSON")
    given = parser.parse_args()
    if given.alone:
        print(json.dumps(_tuned(given.alone, given.data)))
        return
    kept = json.loads(RESULTS.read_text("utf8")) if RESULTS.is_file() else {"rows": {}}
    for method in given.methods.split(","):
        words = [sys.executable, "-m", "benchmarks.methods", "--alone", method, "--data", str(given.data)]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        kept["rows"][method] = json.loads(told.splitlines()[-1])
        kept |= {"setting": SETTING, "seed": 0, "machine": environment()}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf8")
        print(method, kept["rows"][method]["held_out"], flush=True)


def _tuned(method: str, data: Path) -> dict[str, object]:
    """What is told of one method."""
    _, cut = movielens_small(data, Runtime(seed=0))
    config = EncoderTunerConfig(method=method, **SETTING)
    with tempfile.TemporaryDirectory() as folder:
        record = EncoderTuner(config).fit(cut.train, Path(folder) / "out", Runtime(seed=0, quiet=True))
    names = ("trainable", "weights", "examples", "epochs", "held_out", "seconds", "peak_mb", "part_mb")
    return {name: record[name] for name in names}


if __name__ == "__main__":
    main()
