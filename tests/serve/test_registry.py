"""Versions and aliases: what is published is whole, what is live was checked, and every move is told."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from palate import store
from palate.errors import ConfigError, StoreError, VersionError
from palate.serve.aliases import Aliases, Canary
from palate.serve.chain import Chain
from palate.serve.registry import Registry
from serve.versions import popular, shop, until


@pytest.fixture(scope="module")
def data():
    return shop()


@pytest.fixture
def registry(tmp_path, data):
    """Three versions, published a minute apart; nothing is live."""
    times = iter(range(1_700_000_000, 1_800_000_000, 60))
    registry = Registry(tmp_path / "registry", clock=lambda: float(next(times)))
    for days in (8, 9, 10):
        registry.publish(popular(until(data, days), data=f"{days} days"), note=f"{days} days")
    return registry


def damage(registry, version, name="arrays.safetensors"):
    path = registry.root / "versions" / version / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def test_ids_are_in_the_order_of_publishing_and_name_the_content(registry):
    first, *_ = registry.ids()
    assert first.startswith("20231114T221320-")
    manifest = registry.root / "versions" / first / "manifest.json"
    assert first.endswith(f"-{store.sha256(manifest)[:8]}")
    cards = [one.card for one in registry.versions()]
    assert [card["note"] for card in cards] == ["8 days", "9 days", "10 days"]
    assert cards[0]["recipe"] == "popular"
    assert cards[0]["data"] == "8 days"
    assert cards[0]["parent"] is None
    assert {one.state for one in registry.versions()} == {"idle"}


def test_a_saved_folder_is_published_as_the_model_in_it_and_later_versions_have_later_names(tmp_path, data):
    model = popular(data)
    model.save(tmp_path / "model")
    registry = Registry(tmp_path / "registry", clock=lambda: 0.0)
    first, second = registry.publish(model), registry.publish(tmp_path / "model")
    assert [one.partition("-")[0] for one in (first, second)] == ["19700101T000000", "19700101T000001"]
    assert first.partition("-")[2] == second.partition("-")[2]
    loaded = registry.load(registry.ids()[0])
    assert loaded.recommend("u0", k=2)["item_id"].to_list() == model.recommend("u0", k=2)["item_id"].to_list()


def test_what_is_no_whole_model_is_not_published(tmp_path, data, registry):
    with pytest.raises(StoreError, match="no saved model"):
        registry.publish(tmp_path / "nowhere")
    store.save(tmp_path / "ranker", data.items, {})
    with pytest.raises(StoreError, match="not a model"):
        registry.publish(tmp_path / "ranker")
    popular(data).save(tmp_path / "model")
    (tmp_path / "model" / "tree.json").write_text("{}")
    with pytest.raises(StoreError, match="damaged"):
        registry.publish(tmp_path / "model")
    assert len(registry.ids()) == 3
    assert sorted(path.name for path in (registry.root / "versions").iterdir()) == registry.ids()


def test_live_previous_and_back(registry):
    one, two, three = registry.ids()
    registry.promote(one)
    assert registry.aliases() == Aliases(live=one, serial=1, audit=registry.audit()[-1]["hash"])
    registry.promote(two, force=True, who="ann", why="newer")
    assert (registry.aliases().live, registry.aliases().previous) == (two, one)
    assert [found.state for found in registry.versions()] == ["previous", "live", "idle"]
    entry = registry.rollback(who="ben", why="it was late")
    assert (entry["from"], entry["to"], entry["who"], entry["why"]) == (two, one, "ben", "it was late")
    assert (registry.aliases().live, registry.aliases().previous, registry.aliases().serial) == (one, None, 3)
    with pytest.raises(VersionError, match="no previous version"):
        registry.rollback()
    with pytest.raises(VersionError, match="is live already"):
        registry.promote(one)
    assert registry.publish(registry.load(three)).startswith("2023")
    assert registry.card(registry.ids()[-1])["parent"] == one


@pytest.mark.parametrize("room", [100, 2500, 6000], ids=["no-tree", "no-arrays", "no-audit"])
def test_without_room_nothing_is_published_and_live_goes_on(registry, data, room):
    """F3; a limit on the size of files stands for a full disk."""
    registry.promote(registry.ids()[0])
    before = registry.ids()
    for n in range(40):
        Chain(registry.root / "audit.jsonl").append({"what": "noise", "version": str(n)})
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        with pytest.raises(StoreError, match="cannot be written to"):
            registry.publish(popular(until(data, 9), n=1))
        with pytest.raises(StoreError, match="cannot be written to"):
            registry.promote(before[1], force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert registry.serving().version == before[0]
    assert registry.aliases().serial == 1
    assert registry.audit_intact()
    assert {one.name for one in (registry.root / "versions").iterdir()} == set(registry.ids())
    registry.publish(popular(until(data, 9), n=2))
    assert registry.audit_intact()


def test_who_is_reading_the_aliases_reads_them_whole(registry):
    registry.promote(registry.ids()[0])
    with (registry.root / "aliases.json").open() as file:
        registry.promote(registry.ids()[1], force=True)
        assert json.load(file)["live"] == registry.ids()[0]
    assert registry.aliases().live == registry.ids()[1]


def test_a_rollback_takes_less_than_two_seconds(tmp_path):
    """With 128 MB to check; the figure of reliability is for an alias that moves, wherever the model is."""
    registry = Registry(tmp_path)
    big = popular(shop(), weight="x")
    registry.publish(big)
    retriever = big.recommender.retriever
    object.__setattr__(retriever, "popularity_", np.ones(1 << 25, np.float32))
    registry.publish(big)
    one, two = sorted(
        registry.ids(), key=lambda v: (registry.root / "versions" / v / "arrays.safetensors").stat().st_size
    )
    registry.promote(two)
    registry.promote(one, force=True)
    start = time.perf_counter()
    registry.rollback()
    assert time.perf_counter() - start < 2
    assert registry.aliases().live == two


def test_who_saw_another_state_moves_nothing(registry):
    one, two, _ = registry.ids()
    registry.promote(one, expect=0)
    with pytest.raises(VersionError, match=r"moved meanwhile \(0 to 1\)"):
        registry.promote(two, force=True, expect=0)
    assert registry.aliases().live == one
    assert len(registry.audit()) == 4  # three published, one promoted


def test_of_many_who_saw_the_same_state_one_moves(registry):
    registry.promote(registry.ids()[0])
    done = []

    def move(version):
        try:
            done.append(registry.promote(version, force=True, expect=1))
        except VersionError:
            done.append(None)

    threads = [threading.Thread(target=move, args=[version]) for version in registry.ids()[1:] * 3]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len([one for one in done if one]) == 1
    assert registry.aliases().serial == 2
    assert registry.audit_intact()


@pytest.mark.parametrize("name", ["arrays.safetensors", "tree.json", "manifest.json"])
def test_no_alias_moves_to_a_damaged_version(registry, name):
    one, two, _ = registry.ids()
    registry.promote(one)
    damage(registry, two, name)
    with pytest.raises(StoreError, match="damaged"):
        registry.promote(two, force=True)
    with pytest.raises(StoreError, match="damaged"):
        registry.canary(two, 0.1, force=True)
    assert registry.aliases().live == one
    found = registry.versions()[1]
    assert found.state == "damaged"
    assert f"{name}: damaged" in found.damage
    assert registry.versions(check=False)[1].state == "idle"


def test_a_manifest_that_was_made_anew_is_not_the_one_that_was_published(registry):
    one = registry.ids()[0]
    path = registry.root / "versions" / one / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "recipe": "better"}))
    with pytest.raises(StoreError, match="its manifest is not the one it was published with"):
        registry.verify(one)


def test_where_the_live_version_is_damaged_the_previous_one_answers_and_says_so(registry):
    one, two, three = registry.ids()
    registry.promote(one)
    registry.promote(two, force=True)
    assert (registry.serving().version, registry.serving().note) == (two, "")
    damage(registry, two)
    serving = registry.serving()
    assert serving.version == one
    assert f"{two} is not served: " in serving.note
    assert serving.model.recommend("u0", k=1).height == 1
    registry.promote(three, force=True)
    assert registry.aliases().previous is None  # no alias stays on a damaged version when it moves
    damage(registry, three)
    with pytest.raises(StoreError, match="damaged"):
        registry.serving()


def test_damaged_aliases_are_refused_with_the_way_out(registry):
    registry.promote(registry.ids()[0])
    held = registry.audit()[-1]["aliases"]
    (registry.root / "aliases.json").write_text("{")
    with pytest.raises(StoreError, match=r"`aliases` in the last entry of audit\.jsonl"):
        registry.serving()
    (registry.root / "aliases.json").write_text(json.dumps(held))
    assert registry.serving().version == registry.ids()[0]


def test_a_canary_answers_its_share_always_the_same_people_and_more_as_it_grows(registry):
    one, two, _ = registry.ids()
    with pytest.raises(VersionError, match="no version is live"):
        registry.canary(two, 0.1)
    registry.promote(one)
    people = [f"u{n}" for n in range(2000)]

    def answered_by_two():
        aliases = registry.aliases()
        return {user for user in people if aliases.version_for(user) == two}

    registry.canary(two, 0.05, force=True)
    assert registry.aliases().canary == Canary(two, 0.05)
    assert registry.aliases().version_for(None) == one
    few = answered_by_two()
    assert 60 < len(few) < 140  # 100, deviation 9.7
    registry.canary(two, 0.5, force=True)
    assert few < answered_by_two()
    assert [found.state for found in registry.versions()] == ["live", "canary", "idle"]
    registry.promote(two, force=True)
    assert registry.aliases().canary is None
    assert answered_by_two() == set(people)
    with pytest.raises(VersionError, match="there is no canary"):
        registry.end_canary()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(registry, share):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        registry.canary(registry.ids()[0], share)


def test_old_idle_versions_are_removed_and_never_one_with_an_alias(registry, data):
    one, two, three = registry.ids()
    registry.promote(one)
    registry.promote(two, force=True)
    registry.canary(three, 0.1, force=True)
    idle = [registry.publish(popular(until(data, days), n=days)) for days in (5, 6, 7)]
    assert registry.retire(keep=1) == idle[:2]
    assert registry.ids() == [one, two, three, idle[2]]
    assert registry.retire(keep=0) == idle[2:]
    assert registry.retire(keep=0) == []
    assert [entry["version"] for entry in registry.audit() if entry["what"] == "retire"] == idle
    assert registry.serving().version == two


def test_an_unknown_version_is_named_with_those_that_are_known(registry):
    for act in (registry.promote, registry.verify, registry.card, registry.load):
        with pytest.raises(VersionError, match=r'version "\.\./aliases\.json": not in .*; known: 2023'):
            act("../aliases.json")


def test_an_empty_registry_serves_nothing_and_says_what_to_do(tmp_path):
    registry = Registry(tmp_path / "none")
    assert registry.ids() == []
    assert registry.versions() == []
    with pytest.raises(StoreError, match="publish a model and promote it"):
        registry.serving()
    assert not (tmp_path / "none").exists()


def test_the_gate_stands_before_live_and_force_is_told(registry, data):
    one, two, three = registry.ids()
    registry.promote(one)  # the first one takes nobody's place
    with pytest.raises(VersionError, match=f"was not judged against {one}"):
        registry.promote(two)
    with pytest.raises(VersionError, match=f"was not judged against {one}"):
        registry.canary(two, 0.1)
    assert registry.gate(two, data).passed  # both are popularity, and days 9 and 10 are new to both
    registry.promote(two)
    assert registry.audit()[-1]["forced"] == ""
    assert registry.gate(three, data).verdict == "undecided"  # it has seen everything
    with pytest.raises(VersionError, match="the gate could not decide: No likes after"):
        registry.promote(three)
    registry.canary(three, 0.1)  # what is not known may be tried
    registry.promote(three, force=True, why="tried for a week")
    assert registry.audit()[-1]["forced"].startswith("the gate could not decide")
    assert registry.card(three)["gate"]["live"] == two
    assert registry.audit_intact()


def test_a_verdict_against_a_version_that_is_no_longer_live_does_not_count(registry, data):
    one, two, three = registry.ids()
    registry.promote(one)
    registry.gate(two, data)
    registry.promote(three, force=True)
    with pytest.raises(VersionError, match=f"not judged against {three}"):
        registry.promote(two)


def test_what_the_gate_refused_is_not_even_tried(registry, data):
    one = registry.ids()[0]
    registry.promote(one)
    bad = popular(until(data, 9), n=1)
    np.copyto(bad.recommender.retriever.popularity_, np.nan)
    version = registry.publish(bad)
    outcome = registry.gate(version, data)
    assert outcome.verdict == "refused"
    assert registry.card(version)["gate"]["reasons"] == ["100.0% of its scores are nan or infinite."]
    for act in (lambda: registry.promote(version), lambda: registry.canary(version, 0.1)):
        with pytest.raises(VersionError, match=r"the gate refused it: 100\.0% of its scores are nan"):
            act()
    registry.verify(version)  # the card may change, the model may not
    with pytest.raises(VersionError, match="not judged against itself"):
        registry.gate(one, data)


def test_a_changed_record_is_found_even_where_its_end_was_cut_off(registry):
    registry.promote(registry.ids()[0])
    registry.promote(registry.ids()[1], force=True)
    assert registry.audit_intact()
    path = registry.root / "audit.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"promote"', b'"publish"', 1))
    assert not registry.audit_intact()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert not registry.audit_intact()
    path.write_bytes(whole)
    assert registry.audit_intact()


def test_a_publisher_that_is_killed_at_any_change_of_a_file_leaves_nothing_and_live_keeps_loading(tmp_path, data):
    """F2, once for every change of a file that publishing and promoting make."""
    model = popular(until(data, 9))
    model.save(tmp_path / "model")
    registry = Registry(tmp_path / "registry")
    first = registry.publish(tmp_path / "model")
    registry.promote(first)
    script = Path(__file__).with_name("killed.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, script, registry.root, tmp_path / "model"]
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(found) > 25
    for one in found:
        assert (one["note"], one["recipe"], one["damaged"], one["intact"]) == ("", "popular", [], True), one
    assert found[0]["live"] == first
    assert found[-1]["live"] != first
    last = registry.publish(tmp_path / "model")
    assert last in registry.ids()
    assert sorted(path.name for path in (registry.root / "versions").iterdir()) == registry.ids()
    assert {entry["version"] for entry in registry.audit() if entry["what"] == "publish"} == set(registry.ids())
    assert registry.audit_intact()
