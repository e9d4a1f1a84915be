"""Damaged, missing, read-only and full: refused in one line, nothing crashes, and reading goes on."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from cli.calls import run
from palate.errors import StoreError
from palate.serve.service import Service
from palate.serve.settings import ServeConfig

EVENT = {"event_id": "e", "user_id": "u", "item_id": "i1"}


@contextmanager
def as_nobody():
    """Root may write everywhere, so that it must be somebody else who may not."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def damage(path, how):
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 3], "random": os.urandom(len(whole))}[how])


@pytest.mark.parametrize("how", ["cut", "random"])
def test_a_damaged_database_is_refused_at_start_in_one_line(made, tmp_path, how, monkeypatch, capsys, model):
    made().close()
    damage(tmp_path / "state" / "service.db", how)
    model.save(tmp_path / "model")
    code, out, told = run(monkeypatch, capsys, "serve", tmp_path / "model", "--state", tmp_path / "state")
    assert (code, out) == (1, "")
    assert told.startswith("error: database sqlite:///")
    assert told.count("\n") == 1


def test_a_missing_database_is_made_anew(made, client_of, tmp_path):
    first = made()
    first.close()
    for path in (tmp_path / "state").glob("service.db*"):
        path.unlink()
    client = client_of(made())
    assert client("POST", "/v1/events", EVENT).json()["accepted"] == 1


def test_a_folder_that_may_not_be_written_is_refused(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o555)
    for one in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        one.chmod(one.stat().st_mode | 0o011)
    with as_nobody(), pytest.raises(StoreError, match="check address, rights"):
        Service(ServeConfig(), folder)
    with as_nobody(), pytest.raises(StoreError, match="state"):
        Service(ServeConfig(), folder / "deeper")


def test_a_database_that_is_full_refuses_writes_and_goes_on_reading(client):
    service = client.service

    @contextmanager
    def no_more():
        with service.engine.connect() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
            raw = connection.connection.dbapi_connection
            raw.execute(f"PRAGMA max_page_count = {pages}")
        yield
        with service.engine.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA max_page_count = 1000000")

    with no_more():
        answer = client("POST", "/v1/events", EVENT | {"text": "x" * 19_000})
        assert answer.status_code == 507
        assert answer.json()["error"]["code"] == "disk_full"
        assert client("POST", "/v1/recommend", {"user_id": "u0"}).status_code == 200
    assert client("POST", "/v1/events", EVENT).status_code == 200


def test_a_database_that_breaks_while_it_is_used_is_told_and_lists_go_on(client):
    with client.service.engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    answer = client("POST", "/v1/events", EVENT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store")
    assert client("GET", "/v1/users/u0").status_code == 503
    assert client("POST", "/v1/recommend", {"user_id": "u0"}).status_code == 200


@pytest.mark.parametrize("name", ["arrays.safetensors", "tree.json", "manifest.json"])
def test_a_damaged_model_is_refused_at_start_in_one_line(model, tmp_path, name, monkeypatch, capsys):
    model.save(tmp_path / "model")
    damage(tmp_path / "model" / name, "random")
    code, out, told = run(monkeypatch, capsys, "serve", tmp_path / "model", "--state", tmp_path / "state")
    assert (code, out) == (1, "")
    assert told.splitlines()[-1].startswith("error: ")
    assert name in told
    assert "Traceback" not in told


def test_nothing_is_served_from_a_folder_without_a_model(tmp_path):
    command = [sys.executable, "-m", "palate", "serve", str(tmp_path / "none"), "--state", str(tmp_path / "state")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "no saved model here" in ended.stderr
    assert "Traceback" not in ended.stderr
