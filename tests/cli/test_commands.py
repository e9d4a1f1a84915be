"""Commands as a user types them: what they print, and how they end."""

import json
import resource
import subprocess
import sys

import pandas as pd
import pytest

import palate
from cli.calls import run
from palate.cli.main import COMMANDS


@pytest.fixture
def shop(tmp_path):
    """A folder of twelve people with two tastes, as a small team would have it."""
    folder = tmp_path / "shop"
    folder.mkdir()
    titles = ["Space ships", "Wedding cakes", "Distant planets", "True love", "Rockets", "Roses"]
    items = "\n".join(f"{n},{title}" for n, title in enumerate(titles))
    (folder / "items.csv").write_text(f"item_id,title\n{items}\n")
    rows = [f"u{user},{item},{1_600_000_000 + 60 * (user + 20 * item)}" for user in range(12) for item in _liked(user)]
    (folder / "events.csv").write_text("user_id,item_id,time\n" + "\n".join(rows) + "\n")
    return folder


def _liked(user):
    own = list(range(user % 2, 6, 2))
    return own[: 2 + (user // 2) % 2]


def test_train_then_recommend_are_two_commands(shop, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    code, said, _ = run(monkeypatch, capsys, "train", shop, "--out", model, "--encoder", "hashing")
    assert code == 0
    assert "Trained balanced on 30 events of 12 users and 6 items" in said
    assert "with equal weights: 6 held-out likes are too few to learn from" in said
    code, said, _ = run(monkeypatch, capsys, "recommend", "--model", model, "--user", "u0", "-k", 2, "--explain")
    assert code == 0
    assert said.startswith("u0:\n   1  Rockets  [4]")
    assert "Because you liked" in said


def test_what_trees_made_of_an_item_is_shown(with_trees, tmp_path, monkeypatch, capsys):
    with_trees.save(tmp_path / "model")
    words = ["recommend", "--model", tmp_path / "model", "--user", "u0", "-k", 2]
    _, said, _ = run(monkeypatch, capsys, *words, "--explain")
    assert said.count("        Put in order by ") == 2
    assert "expected" not in said
    _, said, _ = run(monkeypatch, capsys, *words, "--explain", "--json")
    parts = json.loads(said)[0]["parts"]
    assert sum(one["contribution"] for one in parts) == pytest.approx(json.loads(said)[0]["score"], abs=1e-5)
    assert "Put in order by" not in run(monkeypatch, capsys, *words)[1]


def test_a_model_made_of_pandas_frames_gives_its_reasons_line_by_line(shop, tmp_path, monkeypatch, capsys):
    events, items = (pd.read_csv(shop / name) for name in ("events.csv", "items.csv"))
    palate.fit(palate.read(events=events, items=items), "ease").save(tmp_path / "model")
    _, said, _ = run(monkeypatch, capsys, "recommend", "--model", tmp_path / "model", "--history", "0", "--explain")
    assert said.startswith("A stranger:\n")
    assert "\n        Because you liked “Space ships”" in said


def test_json_is_for_machines(shop, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    _, said, _ = run(monkeypatch, capsys, "train", shop, "--out", model, "--recipe", "classic", "--json")
    assert json.loads(said)["recipe"] == "classic"
    _, said, _ = run(monkeypatch, capsys, "recommend", "--model", model, "--history", "0,2", "-k", 1, "--json")
    assert [row["item_id"] for row in json.loads(said)] == ["4"]
    _, said, _ = run(monkeypatch, capsys, "check", shop, "--json")
    assert json.loads(said)["n_events"] == 30


def test_compare_writes_the_report_that_a_file_describes(shop, tmp_path, monkeypatch, capsys):
    config = tmp_path / "compare.toml"
    config.write_text(
        'data = "shop"\nrecipes = ["classic", "mine"]\nsplit = "leave-last-out"\nencoder = "hashing"\n'
        '[recipe.mine]\nparts = ["ease"]\n[recipe.mine.ease]\nregularisation = 10.0\n'
    )
    code, said, _ = run(monkeypatch, capsys, "compare", config, "--out", tmp_path / "report.html")
    assert code == 0
    assert "mine" in said
    assert "mine" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "report.json").read_text())["split"] == "leave-last-out"


def test_a_saved_model_is_judged_by_its_own_recipe(shop, tmp_path, monkeypatch, capsys):
    run(monkeypatch, capsys, "train", shop, "--out", tmp_path / "model", "--recipe", "item-knn")
    code, said, _ = run(monkeypatch, capsys, "evaluate", tmp_path / "model", "--split", "leave-last-out", "--json")
    assert code == 0
    assert {one["recipe"] for one in json.loads(said)["recipes"]} == {"popular", "item-knn"}


def test_within_a_budget_what_was_tried_is_shown(shop, tmp_path, monkeypatch, capsys):
    with (shop / "events.csv").open("a") as file:  # enough people to learn from
        file.writelines(f"v{user},{2 * n + user % 2},{1_700_000_000 + 9 * n}\n" for user in range(60) for n in range(3))
    words = ["train", shop, "--out", tmp_path / "model", "--recipe", "classic", "--budget", "1m"]
    code, said, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert "part         NDCG@10  seconds  options" in said
    assert "\n  item-knn " in said


def test_variety_is_trained_in_and_its_price_drawn(shop, tmp_path, monkeypatch, capsys):
    model = tmp_path / "model"
    words = ["train", shop, "--out", model, "--recipe", "item-knn", "--encoder", "hashing", "--json"]
    _, said, _ = run(monkeypatch, capsys, *words, "--diversify", "mmr=0.3, depth=5")
    assert json.loads(said)["diversify"] == {"mmr": 0.3, "depth": 5}
    words = ["evaluate", model, "--split", "leave-last-out", "--encoder", "hashing", "--trade", "popularity_damping"]
    code, said, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert "popularity_damping" in said
    assert "item-knn, on validation" in said
    assert "popular, on validation" not in said


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        pytest.param(["check", "nowhere"], 2, "nowhere", id="no-folder"),
        pytest.param(["recommend", "--model", "nowhere", "--user", "u"], 1, "palate train", id="no-model"),
        pytest.param(["train", "{shop}", "--out", "m", "--recipe", "best"], 2, 'recipe "best"', id="recipe"),
        pytest.param(["train", "{shop}", "--out", "m", "--diversify", "mmr"], 2, '"mmr" is not NAME=VALUE', id="pair"),
        pytest.param(["train", "{shop}", "--out", "m", "--diversify", "mmr=.1,mmr=.2"], 2, "given twice", id="twice"),
        pytest.param(["train", "{shop}", "--out", "m", "--diversify", "mmr=much"], 2, "'much' is not float", id="much"),
        pytest.param(["evaluate", "{shop}", "--trade", "luck"], 2, 'trade: "luck"', id="trade"),
        pytest.param(["evaluate", "{shop}", "--split", "fair"], 2, 'split: "fair"', id="split"),
        pytest.param(["compare", "no.toml", "--out", "r"], 2, "no.toml", id="no-config"),
        pytest.param(["models", "fetch", "gpt-9"], 1, "gpt-9", id="no-asset"),
        pytest.param(["train", "{shop}", "--out", "m", "--budget", "soon"], 2, '"soon" is not a time', id="budget"),
        pytest.param(["train"], 2, "Missing argument", id="usage"),
        pytest.param(["fly"], 2, "fly", id="no-command"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(shop, tmp_path, monkeypatch, capsys, words, code, complaint):
    monkeypatch.chdir(tmp_path)
    ended, said, complained = run(monkeypatch, capsys, *(word.format(shop=shop) for word in words))
    assert ended == code
    assert complaint in complained
    assert "Traceback" not in said + complained


def test_bad_rows_stop_the_work_or_go_to_quarantine(shop, tmp_path, monkeypatch, capsys):
    with (shop / "events.csv").open("a") as file:
        file.write("u0,0,yesterday\n")
    words = ["train", shop, "--out", tmp_path / "model", "--recipe", "popular"]
    code, _, complained = run(monkeypatch, capsys, *words)
    assert code == 2
    assert "events.csv:32" in complained
    code, _, _ = run(monkeypatch, capsys, *words, "--quarantine", tmp_path / "bad.jsonl")
    assert code == 0
    assert "yesterday" in (tmp_path / "bad.jsonl").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, monkeypatch, capsys):
    code, said, _ = run(monkeypatch, capsys, name, "--help")
    assert code == 0
    assert "Usage: palate" in said


def test_the_help_of_the_whole_command_is_quick():
    """Processor seconds, which do not depend on what else the machine is doing."""
    command = [sys.executable, "-m", "palate", "--help"]
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert all(name in said for name in COMMANDS)
    assert min(seconds) < 0.3


def test_profiles_are_written_kept_and_audited(shop, tmp_path, monkeypatch, capsys):
    out = tmp_path / "profiles.jsonl"
    words = ["profile", shop, "--out", out]
    code, said, _ = run(monkeypatch, capsys, *words, "--split", "time")
    assert (code, said) == (
        0,
        f"12 profiles in {out}: 12 from histories, 0 written by a model, 0 as they were, 0 edited by a person.\n",
    )
    _, said, _ = run(monkeypatch, capsys, *words, "--split", "time", "--json")
    assert json.loads(said)["kept"] == 12
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    leaked = [json.dumps({**row, "text": "Rockets; Roses; True love; Distant planets"}) for row in rows]
    out.write_text("\n".join(leaked))
    code, _, error = run(monkeypatch, capsys, *words, "--split", "time")
    assert code == 2
    assert "what is told of" in error
    assert out.read_text() == "\n".join(leaked)


@pytest.fixture
def reviewed(shop):
    """The same shop with three further shelves of ten things each, and reviews of the first one."""
    titles = [f"{kind} number {n}" for kind in ("Garden hose", "Steel kettle", "Oak shelf") for n in range(10)]
    items = "\n".join(f"x{n},{title},kitchen" for n, title in enumerate(titles))
    (shop / "items.csv").write_text(f"item_id,title,tags\n{items}\n")
    said = [(5, "quick to set up"), (1, "noisy at night")] * 20
    rows = [f"u{n},x{n % 10},{1_600_000_000 + n},{value},{text}" for n, (value, text) in enumerate(said)]
    (shop / "events.csv").write_text("user_id,item_id,time,value,text\n" + "\n".join(rows) + "\n")
    return shop


def test_attributes_of_items_are_written_kept_and_read_as_tags(reviewed, tmp_path, monkeypatch, capsys):
    out, model = tmp_path / "attributes.jsonl", tmp_path / "model"
    words = ["profile", reviewed, "--of", "items", "--out", out]
    code, said, _ = run(monkeypatch, capsys, *words)
    assert (code, said) == (
        0,
        f"30 items with attributes in {out}: 30 from texts and reviews, 0 written by a model, 0 as they were, 0 edited "
        "by a person.\n",
    )
    assert json.loads(out.read_text().splitlines()[10])["tags"] == ["kitchen"]
    out.write_text(out.read_text().replace('["kitchen"]', '["kitchen", "whistling"]', 1))
    _, said, _ = run(monkeypatch, capsys, *words, "--number", 25, "--json")
    assert [json.loads(said)[name] for name in ("kept", "edited", "items")] == [24, 1, 30]
    code, said, _ = run(monkeypatch, capsys, "train", reviewed, "--recipe", "bm25", "--attributes", out, "--out", model)
    assert code == 0
    assert "attributes: tags and aspects of 30 of 30 items are read as tags" in said
    found = palate.load(model).recommend(text="whistling", k=1)
    assert found["item_id"].to_list() == ["x0"]


def test_attributes_are_written_from_the_train_part_alone(reviewed, tmp_path, monkeypatch, capsys):
    out = tmp_path / "attributes.jsonl"
    words = ["profile", reviewed, "--of", "items", "--out", out, "--json"]
    run(monkeypatch, capsys, *words, "--split", "time")
    log = (reviewed / "events.csv").read_text().splitlines()
    (reviewed / "events.csv").write_text("\n".join([*log[:-1], f"{log[-1]} and unheard of"]) + "\n")
    assert json.loads(run(monkeypatch, capsys, *words, "--split", "time")[1])["kept"] == 30
    assert json.loads(run(monkeypatch, capsys, *words)[1])["kept"] < 30


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["--generator", "nobody"], 'model "nobody": no such folder', id="no-model"),
        pytest.param(["--split", "sideways"], 'split: "sideways" is not one of', id="no-split"),
        pytest.param(["--attribute", "mood"], '"mood" is no attribute', id="no-attribute"),
        pytest.param(["--of", "shelves"], 'of: "shelves" is not one of people, items', id="of-nobody"),
        pytest.param(["--of", "items", "--attribute", "mood"], '"mood" is no attribute', id="no-attribute-of-items"),
    ],
)
def test_profile_says_what_is_wrong_in_one_line(shop, tmp_path, monkeypatch, capsys, words, complaint):
    code, _, error = run(monkeypatch, capsys, "profile", shop, "--out", tmp_path / "p.jsonl", *words)
    assert code in (1, 2)
    assert complaint in error
    assert error.count("\n") == 1


def test_train_names_attributes_that_are_not_there(shop, tmp_path, monkeypatch, capsys):
    words = ["train", shop, "--out", tmp_path / "model", "--attributes", tmp_path / "no.jsonl"]
    code, _, error = run(monkeypatch, capsys, *words)
    assert code == 2
    assert f"no.jsonl: no such file; make one with `palate profile {shop} --of items" in error
