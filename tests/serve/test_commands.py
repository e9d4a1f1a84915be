"""`palate keys` and `palate backup` beside a service."""

import json

from cli.calls import run
from palate.serve.events import Event


def test_keys_are_made_listed_and_revoked(made, client_of, tmp_path, monkeypatch, capsys):
    client, state = client_of(made()), tmp_path / "state"
    code, out, _ = run(monkeypatch, capsys, "keys", "make", state, "--name", "shop", "--role", "viewer")
    assert code == 0
    client.secrets["shop"] = out.strip()
    client.service.keys.forget()
    assert client("GET", "/v1/version", role="shop").status_code == 200
    found = json.loads(run(monkeypatch, capsys, "keys", "list", state, "--json")[1])
    (mine,) = [one for one in found if one["name"] == "shop"]
    assert mine["role"] == "viewer"
    assert out.strip() not in json.dumps(found)
    assert run(monkeypatch, capsys, "keys", "revoke", state, mine["key_id"])[0] == 0
    client.service.keys.forget()
    assert client("GET", "/v1/version", role="shop").status_code == 401
    assert "viewer       shop  revoked" in run(monkeypatch, capsys, "keys", "list", state)[1]


def test_what_is_wrong_is_told_in_one_line(made, tmp_path, monkeypatch, capsys):
    made()
    for code, complaint, *words in (
        (1, "no service.db here", "keys", "list", tmp_path),
        (2, 'role "boss": unknown', "keys", "make", tmp_path / "state", "--name", "x", "--role", "boss"),
        (2, 'key "none" is not known', "keys", "revoke", tmp_path / "state", "none"),
        (1, "no service.db here", "backup", tmp_path, tmp_path / "out.db"),
        (1, "is there already", "backup", tmp_path / "state", tmp_path / "state" / "service.db"),
        (1, "nothing was written", "backup", tmp_path / "state", tmp_path / "none" / "out.db"),
    ):
        found, _, told = run(monkeypatch, capsys, *words)
        assert (found, told.count("\n")) == (code, 1), told
        assert complaint in told


def test_a_backup_of_a_running_service_restores_it(made, client_of, tmp_path, monkeypatch, capsys):
    service = made()
    service.tell([Event("a", "new", "i1", 1.0)]).result(5)
    code, out, _ = run(monkeypatch, capsys, "backup", tmp_path / "state", tmp_path / "monday.db")
    assert code == 0
    assert "monday.db" in out
    assert (tmp_path / "monday.db").stat().st_mode & 0o077 == 0
    service.tell([Event("b", "new", "i3", 2.0)]).result(5)
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "monday.db").rename(restored / "service.db")
    again = made(restored)
    assert [one.event_id for one in again.state.events_of("new")] == ["a"]
    assert again.tell([Event("b", "new", "i3", 2.0)]).result(5).new
