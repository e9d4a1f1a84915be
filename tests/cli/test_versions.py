"""`palate versions` as a user types it."""

import json

import pytest

from cli.calls import run
from palate.serve.registry import Registry
from serve.versions import popular, shop, until

DAY = 86_400


@pytest.fixture(scope="module")
def data():
    return shop()


@pytest.fixture
def folder(tmp_path, data):
    """The whole log as files."""
    (tmp_path / "log").mkdir()
    names = data.items.ids.ids
    (tmp_path / "log" / "items.csv").write_text("item_id,title\n" + "".join(f"{name},{name}\n" for name in names))
    events = zip(data.events.user, data.events.item, data.events.time, strict=True)
    rows = "".join(f"u{user},i{item},{time:.0f}\n" for user, item, time in events)
    (tmp_path / "log" / "events.csv").write_text(f"user_id,item_id,time\n{rows}")
    return tmp_path / "log"


@pytest.fixture
def versions(tmp_path, data, monkeypatch, capsys):
    """The command on a registry of two versions, of which the first is live."""
    root = tmp_path / "registry"
    clock = iter(range(1_700_000_000, 1_800_000_000, 60))
    registry = Registry(root, clock=lambda: float(next(clock)))
    for days in (8, 9):
        registry.publish(popular(until(data, days), about=days), note=f"{days} days")
    registry.promote(registry.ids()[0])

    def call(*words):
        return run(monkeypatch, capsys, "versions", root, *words)

    call.ids = registry.ids()
    call.root = root
    return call


def test_a_model_is_published_judged_tried_promoted_and_taken_back(versions, folder):
    one, two = versions.ids
    code, said, _ = versions("gate", two, "--data", folder)
    assert code == 0
    assert said.startswith("The gate: passed.\n* Not shown to be better than popularity: ndcg@10 ")
    assert "40 people; judged by likes after 2023-11-22 22:13 UTC, when the data of the candidate version end" in said
    assert "  candidate less live: ndcg@10 +0.0000 [+0.0000, +0.0000]" in said
    assert versions("canary", two, "--share", "0.05")[1] == f"{two} answers 5% of the people.\n"
    assert f"{two}  canary 5%   passed      popular     9 days" in versions("list")[1]
    assert versions("promote", two, "--why", "no worse")[1] == f"Live: {two} (before: {one}).\n"
    assert versions("rollback")[1] == f"Live: {one} (before: {two}).\n"
    code, said, _ = versions("audit")
    assert code == 0
    lines = [line.split("  ")[1:] for line in said.splitlines()]
    assert lines[-3:] == [
        ["command line", f"promote {two}: no worse"],
        ["command line", f"rollback {one}"],
        [],
    ]
    assert said.endswith("The record is whole.\n")


def test_a_first_model_from_a_folder(tmp_path, data, monkeypatch, capsys):
    popular(data).save(tmp_path / "model")
    root = tmp_path / "new"
    _, said, _ = run(monkeypatch, capsys, "versions", root, "publish", tmp_path / "model", "--note", "first")
    (version,) = Registry(root).ids()
    assert said == f"Published {version}. Next: palate versions {root} promote {version}\n"
    assert run(monkeypatch, capsys, "versions", root, "promote", version)[1] == f"Live: {version} (before: none).\n"
    _, said, _ = run(monkeypatch, capsys, "versions", root, "show", "live")
    assert said.startswith(f"{version}: live\n")
    assert "note: first\nThe gate has not judged it.\n" in said


def test_two_versions_stand_side_by_side(versions, folder):
    one, two = versions.ids
    versions("gate", two, "--data", folder)
    code, said, _ = versions("compare", "live", two, "--users", 2, "-k", 3)
    assert code == 0
    assert said.startswith(f"{one}: the gate has not measured it\n{two}: passed against {one}; ndcg@10 ")
    assert "\nShare of items in both lists of 3: " in said
    assert said.count(" in both\n   1  ") == 2
    found = json.loads(versions("compare", one, two, "--users", 2, "--json")[1])
    assert found["versions"] == [one, two]
    assert found["gate"][two]["metrics"]["candidate"]["ndcg@10"]["n"] == 40
    assert [len(pair["b"]) for pair in found["lists"]["pairs"]] == [5, 5]


def test_each_answer_is_also_for_machines(versions, folder, tmp_path, data):
    one, two = versions.ids
    assert [row["state"] for row in json.loads(versions("list", "--json")[1])] == ["live", "idle"]
    assert json.loads(versions("gate", two, "--data", folder, "--json")[1])["verdict"] == "passed"
    assert json.loads(versions("show", two, "--json")[1])["gate"]["people"] == 40
    assert json.loads(versions("canary", two, "--share", "0.1", "--json")[1])["aliases"]["canary"]["share"] == 0.1
    assert json.loads(versions("canary", two, "--share", "0", "--json")[1])["aliases"]["canary"] is None
    assert json.loads(versions("promote", two, "--json")[1])["to"] == two
    assert json.loads(versions("rollback", "--json")[1])["to"] == one
    popular(data).save(tmp_path / "model")
    assert json.loads(versions("publish", tmp_path / "model", "--json")[1])["version"] > two
    assert json.loads(versions("retire", "--keep", "1", "--json")[1]) == [two]
    assert json.loads(versions("audit", "--json")[1])["intact"]


def test_a_refusal_is_one_line_and_force_overrides_it(versions, folder, tmp_path, data):
    one, two = versions.ids
    code, _, error = versions("promote", two)
    assert code == 2
    assert error.startswith(f"error: {two}: it was not judged against {one}, which is live; run `palate versions ")
    popular(data).save(tmp_path / "model")
    versions("publish", tmp_path / "model")
    knows_all = Registry(versions.root).ids()[-1]
    code, said, _ = versions("gate", knows_all, "--data", folder)
    assert code == 1
    assert said.startswith(
        "The gate: undecided.\n* No likes after 2023-11-23 22:13 UTC, when the data of the candidate"
    )
    assert versions("promote", knows_all)[0] == 2
    assert versions("promote", knows_all, "--force")[0] == 0
    assert "(forced: the gate could not decide: No likes" in versions("audit")[1]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["promote", "best"], 'version "best": not in ', id="unknown"),
        pytest.param(["rollback"], "no previous version", id="nothing-before"),
        pytest.param(["show", "previous"], "no version is previous", id="no-alias"),
        pytest.param(["canary", "live", "--share", "0.1"], "", id="live-canary"),
        pytest.param(["canary", "live", "--share", "0"], "there is no canary", id="no-canary"),
        pytest.param(["canary", "live", "--share", "2"], "not between 0 and 1", id="share"),
        pytest.param(["publish", "nowhere"], "no saved model", id="no-model"),
        pytest.param(["gate", "live", "--data", "nowhere"], "nowhere", id="no-data"),
    ],
)
def test_a_mistake_is_one_line(versions, words, complaint):
    code, _, error = versions(*words)
    assert code in (1, 2)
    assert complaint in error
    assert error.count("\n") == 1


def test_damage_and_tampering_are_told(versions):
    path = versions.root / "versions" / versions.ids[1] / "tree.json"
    path.write_text(path.read_text() + " ")
    said = versions("list")[1]
    assert f"{versions.ids[1]}  damaged" in said
    assert "tree.json: damaged, its sha256 is not the one in manifest.json" in said
    audit = versions.root / "audit.jsonl"
    audit.write_text(audit.read_text().replace("8 days", "7 days"))
    code, said, _ = versions("audit")
    assert code == 1
    assert said.endswith("The record was changed after it was written.\n")
