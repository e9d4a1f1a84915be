"""`palate tune llm` as a user types it."""

import json

import pytest

from cli.calls import run
from conftest import checkerboard
from generate.tiny import tiny_model
from palate.cli.tune.llm import sentences

SMALL = "epochs=1,lists=16,held_out=40,batch=8,last=1,item_chars=12,depth=4,group=4,candidates=6,learning_rate=0.01"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder of 400 people with two tastes."""
    folder = tmp_path_factory.mktemp("shop")
    data = checkerboard(n_users=400)
    events = zip(data.events.user, data.events.item, data.events.time, strict=True)
    rows = [f"u{user},i{item},{time:.0f}" for user, item, time in events]
    (folder / "events.csv").write_text("user_id,item_id,time\n" + "\n".join(rows) + "\n")
    told = [f'{name},"{name} {title}"' for name, title in zip(data.items.ids.ids, data.items.title, strict=True)]
    (folder / "items.csv").write_text("item_id,title\n" + "\n".join(told) + "\n")
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def test_tune_tells_what_it_did_and_train_uses_what_helped(shop, tiny, tmp_path, monkeypatch, capsys):
    out = tmp_path / "tuned"
    words = ("tune", "llm", shop, "--out", out, "--model", tiny, "--how", "listwise", "--set", SMALL)
    code, said, err = run(monkeypatch, capsys, *words)
    assert (code, err) == (0, "")
    lines = said.splitlines()
    assert lines[0].startswith("  epoch 1: loss ")
    assert lines[1].startswith("NDCG@10 on 20 lists that it did not learn from: before ")
    assert lines[2].startswith("By the model alone: untuned ")
    assert lines[3].startswith("lora: ")
    assert lines[4].startswith("Reversing a list kept the chosen item in ")
    assert not (tmp_path / "tuned.work").exists()
    used = json.loads((out / "tuning.json").read_text())["used"]
    words = ("train", shop, "--llm", out, "--out", tmp_path / "model", "--recipe", "popular")
    code, _, err = run(monkeypatch, capsys, *words)
    assert code == (0 if used else 1)
    assert used or "got no better by this model" in err


def test_json_is_the_record_and_profiles_are_told(shop, tiny, tmp_path, monkeypatch, capsys):
    profiles = tmp_path / "profiles.jsonl"
    profiles.write_text('{"user_id": "u1", "text": "Likes: quiet evenings"}\n')
    words = ("tune", "llm", shop, "--out", tmp_path / "out", "--model", tiny, "--set", SMALL, "--json")
    code, said, _ = run(
        monkeypatch, capsys, *words, "--method", "ia3", "--budget", "10m", "--profiles", profiles, "--seed", 3
    )
    assert code == 0
    record = json.loads(said)
    saved = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert {**saved, "folder": str(tmp_path / "out")} == record
    assert (record["options"]["method"], record["seed"]) == ("ia3", 3)


@pytest.mark.parametrize(
    ("low", "high", "used", "verdict", "end"),
    [
        (0.01, 0.03, True, "better than before", "Next: palate train shop --llm"),
        (-0.01, 0.03, True, "no difference shown", "Next: palate train shop --llm"),
        (-0.03, -0.01, False, "worse than before", "Not better, so there is no ranker to use"),
    ],
)
def test_the_verdict_follows_the_interval(low, high, used, verdict, end, tmp_path):
    found = {"people": 30, "before": 0.1, "after": 0.12, "change": 0.02, "low": low, "high": high}
    rest = {"trainable": 1, "weights": 2, "seconds": 4.0, "peak_mb": 5, "heard": 0.4, "trust": 0.6}
    told = {"judged": found, "alone": found, "lists": {"taught": 3}, "options": {"method": "lora"}, "used": used}
    bias = {"position_bias": {"before": None, "after": None}}
    lines = sentences({**told, **rest, **bias}, "shop", tmp_path)
    assert f"[{low:+.4f}, {high:+.4f}]: {verdict}" in lines[0]
    assert end in lines[-1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["--method", "head"], "method: 'head' is not one of full, lora", id="head"),
        pytest.param(["--how", "written"], "how: 'written' is not one of pointwise, listwise", id="how"),
        pytest.param(["--set", "speed=3"], "set.speed: unknown option; known: ", id="option"),
        pytest.param(["--set", "how=listwise"], "set: how is given by --how", id="twice"),
        pytest.param(["--model", "nothing-here"], 'model "nothing-here": no such folder and no known', id="model"),
        pytest.param(
            ["--profiles", "none.jsonl"], "none.jsonl: no such file; make one with `palate profile", id="file"
        ),
        pytest.param(["--set", "depth=1"], "depth: 1 is below 2", id="range"),
    ],
)
def test_wrong_words_are_one_line(words, complaint, shop, tmp_path, monkeypatch, capsys):
    code, _, err = run(monkeypatch, capsys, "tune", "llm", shop, "--out", tmp_path / "out", *words)
    assert code in (1, 2)
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_train_refuses_a_folder_that_is_none(shop, tmp_path, monkeypatch, capsys):
    words = ("train", shop, "--llm", shop, "--out", tmp_path / "model", "--recipe", "popular")
    code, _, err = run(monkeypatch, capsys, *words)
    assert code == 1
    assert "no tuned language model here; make one with `palate tune llm" in err
