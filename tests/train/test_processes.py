"""Two processes on this machine tune an encoder as one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import checkerboard
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import ConfigError
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
from palate.train.loop import Epochs, LoopConfig, train
from palate.train.processes import share
from palate.train.study import SearchBudget, search
from train.tiny import encoder_folder

RUN = """
import json, sys
from pathlib import Path
from torch import distributed
from conftest import checkerboard
from palate.runtime import Runtime, rank
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
config = EncoderTunerConfig(**json.loads(sys.argv[1]))
runtime = Runtime(work=Path(sys.argv[2]) / "work", track="none")
rows = []
EncoderTuner(config).fit(checkerboard(n_users=120), Path(sys.argv[2]) / "out", runtime, rows.append)
met = distributed.get_world_size(), distributed.get_backend(), len(rows)
(Path(sys.argv[2]) / f"{rank()}.json").write_text(json.dumps(met))
distributed.destroy_process_group()
"""


def still(folder):
    """The tiny encoder without dropout, whose luck hangs on the number of processes."""
    name = encoder_folder(folder)
    config = json.loads((folder / "config.json").read_text())
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps({**config, **calm}))
    return name


def test_two_processes_come_to_what_one_does(tmp_path):
    """Losses to 1e-4, vectors to 1e-3: sums of float32 in another order, through Adam's division."""
    options = {"model": still(tmp_path / "bert"), "method": "lora", "dropout": 0.0, "learning_rate": 0.01}
    options |= {"epochs": 2, "held_out": 60, "pairs": 65, "batch": 15, "accumulate": 2, "max_tokens": 32, "patience": 5}
    data = checkerboard(n_users=120)
    one = EncoderTuner(EncoderTunerConfig(**options)).fit(data, tmp_path / "one", Runtime())
    (tmp_path / "run.py").write_text(RUN)
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launcher += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ACCELERATE_USE_CPU": "true"}
    words = [*launcher, str(tmp_path / "run.py"), json.dumps(options), str(tmp_path)]
    ended = subprocess.run(words, capture_output=True, text=True, env=found, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert json.loads((tmp_path / "0.json").read_text()) == [2, "gloo", 2]
    assert json.loads((tmp_path / "1.json").read_text()) == [2, "gloo", 0]  # the second is silent
    two = json.loads((tmp_path / "out" / "tuning.json").read_text())
    losses = [[row["loss"] for row in record["epochs"]] for record in (one, two)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    texts = item_texts(data.items)
    before, alone, together = (
        _vectors(folder, texts) for folder in (options["model"], tmp_path / "one", tmp_path / "out")
    )
    assert np.abs(alone - before).max() > 0.01
    np.testing.assert_allclose(together, alone, atol=1e-3)


def _vectors(folder, texts):
    config = TransformerConfig(model=str(folder), dtype="fp32", cache=False)
    return TransformerEncoder(config).fit([], Runtime()).encode(texts, role="item")


@pytest.mark.parametrize(("n", "expected"), [(7, [3, 4]), (1, [0, 1]), (0, [0, 0])])
def test_shares_are_all_rows_once(n, expected, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    found = []
    for place in range(2):
        monkeypatch.setenv("RANK", str(place))
        found.append(list(range(n))[share(n)])
    assert [len(one) for one in found] == expected
    assert [row for one in found for row in one] == list(range(n))


def test_what_cannot_be_shared_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    epochs, model = Epochs(lambda rng: iter(()), 0), torch.nn.Linear(1, 1)
    with pytest.raises(ConfigError, match="sequence: runs in one process, not in 2; start it without a launcher"):
        train(model, lambda batch: batch, epochs, lambda: 0.0, LoopConfig(), Runtime(), "sequence")
    with pytest.raises(ConfigError, match="search: runs in one process"):
        search(EncoderTuner(), checkerboard(), Path(tmp_path / "out"), Runtime(), SearchBudget(trials=2))
