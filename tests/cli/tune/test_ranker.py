"""`palate tune ranker` as a user types it."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import palate
from cli.calls import run
from cli.tune.shops import shop_folder
from palate import build, store
from palate.cli.tune.ranker import sentences
from palate.errors import AssetError, StoreError
from palate.rank.cross import CrossEncoder
from train.tiny import encoder_folder

SMALL = "epochs=2,learning_rate=1e-9,candidates=18,batch=36,dtype=fp32"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder of 80 people with two tastes."""
    return shop_folder(tmp_path_factory.mktemp("shop"), 80)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return encoder_folder(tmp_path_factory.mktemp("tiny") / "bert")


@pytest.fixture(scope="module")
def words(shop, tiny):
    return ("tune", "ranker", shop, "--model", tiny, "--set", SMALL, "--retriever", "popular")


def test_tune_then_train_with_the_ranker(words, shop, tmp_path, monkeypatch, capsys):
    out = tmp_path / "ranker"
    code, said, err = run(monkeypatch, capsys, *words, "--out", out, "--method", "full")
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("  epoch 1: loss ")
    assert all(name in lines[1] for name in ("development loss", "accuracy", "AUC", "UAUC", "NDCG@10"))
    assert lines[2].startswith("NDCG@10 on 20 lists that nothing was chosen by: before ")
    assert lines[3].startswith("full: ")
    assert lines[4].startswith("Of no use: nothing better was learned, so the ranker in ")
    assert not (tmp_path / "ranker.work").exists()
    made = store.load(out, build.kinds())
    head = np.random.default_rng(0).normal(size=(1, 32)).astype(np.float32)
    store.save(out, dataclasses.replace(made, weights_={"head.weight": head}), {})
    train = ("train", shop, "--ranker", out, "--out", tmp_path / "model", "--recipe", "popular")
    assert run(monkeypatch, capsys, *train)[0] == 0
    model = palate.load(tmp_path / "model")
    assert isinstance(model.recommender.rankers[-1], CrossEncoder)
    assert model.about["ranker"] == str(out)
    plain = palate.fit(model.data, "popular")
    assert not model.recommend(["u0", "u1"]).equals(plain.recommend(["u0", "u1"]))
    with pytest.raises(StoreError, match="a saved CrossEncoder, not a model; use it by `palate train --ranker"):
        palate.load(out)
    with pytest.raises(StoreError, match="a saved model, not a ranker"):
        build.make_ranker(tmp_path / "model", model.data.items)


def test_json_is_the_record_and_another_base_is_refused(words, shop, tmp_path, monkeypatch, capsys):
    base, out = encoder_folder(tmp_path / "bert"), tmp_path / "out"
    told = (*words, "--out", out, "--json", "--method", "ia3", "--budget", "10m", "--model", base)
    code, said, _ = run(monkeypatch, capsys, *told)
    assert code == 0
    record = json.loads(said)
    assert {**store.manifest(out)["ranker"], "folder": str(out)} == record
    assert record["options"]["method"] == "ia3"
    data = palate.read(shop)
    (tmp_path / "bert" / "config.json").write_text("{}")
    with pytest.raises(AssetError, match=r"not the model that this ranker was trained with"):
        build.make_ranker(out, data.items)


KILL = """
import os, signal
from palate.cli.main import main
from palate.cli.tune import ranker
ranker._show = lambda row: row["epoch"] == 2 and os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def test_a_killed_command_goes_on_where_it_was(words, tmp_path, monkeypatch, capsys):
    words = (*words, "--out", tmp_path / "out", "--method", "head")
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", KILL, *map(str, words)], capture_output=True, env=found)
    assert killed.returncode == -signal.SIGKILL
    code, said, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert [line[:9] for line in said.splitlines() if "epoch" in line] == ["  epoch 2"]


def test_the_sentences_follow_the_gate(tmp_path):
    found = {"people": 30, "before": 0.1, "after": 0.12, "change": 0.02, "low": 0.01, "high": 0.03}
    rest = {"trainable": 1, "weights": 2, "pairs": 3, "seconds": 4.0, "peak_mb": 5, "options": {"method": "lora"}}
    record = {"measure": "NDCG@10", "held_out": found, "kept_order": False, **rest}
    lines = sentences(record, "shop", tmp_path)
    assert "[+0.0100, +0.0300]: better than before" in lines[0]
    assert lines[-1] == f"Saved in {tmp_path}. Next: palate train shop --ranker {tmp_path} --out model/"
    few = sentences({"measure": "AUC", "lists": 7, "kept_order": True}, "shop", tmp_path)
    assert few[0].startswith("Of no use: 7 lists with a known answer are too few")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        pytest.param(["--method", "magic"], "method: 'magic' is not one of full, lora", id="method"),
        pytest.param(["--loss", "magic"], "loss: 'magic' is not one of listwise, margin, bce, mse", id="loss"),
        pytest.param(["--loss", "bce"], "events: every one is liked or not liked alike", id="labels"),
        pytest.param(["--set", "speed=3"], "set.speed: unknown option; known: ", id="option"),
        pytest.param(["--set", "loss=bce"], "set: loss is given by --loss", id="twice"),
        pytest.param(["--retriever", "magic"], 'retriever: "magic" is not one of popular', id="retriever"),
        pytest.param(["--model", "nothing-here"], 'model "nothing-here": no such folder', id="model"),
    ],
)
def test_wrong_words_are_one_line(words, more, complaint, tmp_path, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, *words, "--out", tmp_path / "out", *more)
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
