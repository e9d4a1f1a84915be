"""`palate tune` as a user types it."""

import json

import pytest

from cli.calls import run
from cli.tune.shops import shop_folder
from palate.cli.tune.encoder import sentences
from train.tiny import encoder_folder

SMALL = "epochs=2,held_out=60,pairs=96,batch=16,max_tokens=64"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder of 120 people with two tastes."""
    return shop_folder(tmp_path_factory.mktemp("shop"), 120)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return encoder_folder(tmp_path_factory.mktemp("tiny") / "bert")


def test_tune_then_train_with_what_was_tuned(shop, tiny, tmp_path, monkeypatch, capsys):
    out = tmp_path / "tuned"
    code, said, err = run(monkeypatch, capsys, "tune", "encoder", shop, "--out", out, "--encoder", tiny, "--set", SMALL)
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("  epoch 1: loss ")
    assert lines[1].startswith("  epoch 2: loss ")
    assert lines[2].startswith("NDCG@10 on 30 held-out likes: before ")
    assert lines[3].startswith("lora: ")
    assert lines[4] == f"Saved in {out}. Next: palate train {shop} --encoder {out} --out model/"
    assert not (tmp_path / "tuned.work").exists()
    words = ("train", shop, "--encoder", out, "--out", tmp_path / "model", "--recipe", "zero-shot")
    assert run(monkeypatch, capsys, *words)[0] == 0


def test_json_is_the_record(shop, tiny, tmp_path, monkeypatch, capsys):
    words = ("tune", "encoder", shop, "--out", tmp_path / "out", "--encoder", tiny, "--set", SMALL, "--json")
    code, said, _ = run(monkeypatch, capsys, *words, "--method", "ia3", "--budget", "10m")
    assert code == 0
    record = json.loads(said)
    saved = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert {**saved, "folder": str(tmp_path / "out")} == record
    assert record["options"]["method"] == "ia3"


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.03, "better than before"), (-0.03, -0.01, "worse than before"), (-0.01, 0.03, "no difference")],
)
def test_the_verdict_follows_the_interval(low, high, verdict, tmp_path):
    found = {"people": 30, "before": 0.1, "after": 0.12, "change": 0.02, "low": low, "high": high}
    rest = {"trainable": 1, "weights": 2, "examples": 3, "seconds": 4.0, "part_mb": 0.1, "peak_mb": 5}
    record = {"held_out": found, "options": {"method": "lora"}, **rest}
    assert f"[{low:+.4f}, {high:+.4f}]: {verdict}" in sentences(record, "shop", tmp_path)[0]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["--method", "magic"], "method: 'magic' is not one of full, lora", id="method"),
        pytest.param(["--set", "speed=3"], "set.speed: unknown option; known: ", id="option"),
        pytest.param(["--set", "rank=0"], "rank: 0 is below 1", id="range"),
        pytest.param(["--set", "rank"], 'set: "rank" is not NAME=VALUE', id="form"),
        pytest.param(["--set", "method=full"], "set: method is given by --method", id="twice"),
        pytest.param(["--budget", "soon"], 'budget: "soon" is not a time', id="budget"),
        pytest.param(["--encoder", "nothing-here"], 'model "nothing-here": no such folder and no known', id="encoder"),
    ],
)
def test_wrong_words_are_one_line(words, complaint, shop, tmp_path, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "tune", "encoder", shop, "--out", tmp_path / "out", *words)
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_data_that_cannot_be_learned_from_is_one_line(tiny, tmp_path, monkeypatch, capsys):
    few, bare = tmp_path / "few", tmp_path / "bare"
    few.mkdir()
    bare.mkdir()
    shop_folder(bare, 120)
    (bare / "items.csv").unlink()
    cases = {
        shop_folder(few, 12): "likes: only 6 people with 3 likes or more could be held out",
        bare: "items: none has a title, description or tags",
        tmp_path / "nowhere": "nowhere",
    }
    for folder, complaint in cases.items():
        words = ("tune", "encoder", folder, "--out", tmp_path / "out", "--encoder", tiny)
        code, _, err = run(monkeypatch, capsys, *words)
        assert code == 2
        assert complaint in err
        assert err.count("\n") == 1


def test_a_search_tells_its_trials_and_draws_them(shop, tiny, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ("tune", "encoder", shop, "--out", out, "--encoder", tiny, "--set", SMALL, "--trials", 2, "--method", "ia3")
    code, said, err = run(monkeypatch, capsys, *words, "--track", "none")
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["  trial 1", "  trial 2"]
    assert "method" not in said.split("ia3:")[0]
    assert lines[2].startswith("Of 2 trials the best is trial ")
    assert lines[3].startswith("NDCG@10 on 30 held-out likes: before ")
    assert (out / "search.svg").read_text().startswith("<svg")
    trace = json.loads((out / "search.json").read_text())
    assert trace["budget"] == {"trials": 2}
    assert "epochs" not in trace["space"]
    assert not (tmp_path / "out.work").exists()


def test_curves_lie_beside_the_folder(shop, tiny, tmp_path, monkeypatch, capsys):
    words = ("tune", "encoder", shop, "--out", tmp_path / "out", "--encoder", tiny, "--set", SMALL)
    assert run(monkeypatch, capsys, *words, "--track", "tensorboard")[0] == 0
    assert len(list((tmp_path / "out.curves").glob("encoder-*/events*"))) == 2  # of the epochs, of the end
    code, _, err = run(monkeypatch, capsys, *words, "--track", "paper")
    assert (code, err) == (2, "error: track: 'paper' is not one of tensorboard, wandb, mlflow, none\n")
    code, _, err = run(monkeypatch, capsys, *words, "--search", "soon")
    assert (code, err) == (2, 'error: search: "soon" is not a time; write for example 90s, 10m or 1h\n')
