"""Every way a request is refused: the status, a code, where and what, and never the input itself."""

import shutil
import threading
from time import monotonic

import pytest

from palate.serve.asks import Ask
from palate.serve.rates import SPAN_S, Rates
from palate.serve.schemas import Refusal

RECOMMEND, EVENT = "/v1/recommend", "/v1/events"


def refused(answer, status, code):
    body = Refusal.model_validate(answer.json())
    assert (answer.status_code, body.error.code) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert body.request_id == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    return body.error


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        pytest.param(RECOMMEND, {"k": 0}, "body.k", id="too-small"),
        pytest.param(RECOMMEND, {"k": 1001}, "body.k", id="too-large"),
        pytest.param(RECOMMEND, {"k": "many"}, "body.k", id="another-type"),
        pytest.param(RECOMMEND, {"kk": 3}, "body.kk", id="unknown-key"),
        pytest.param(RECOMMEND, {"user_id": ""}, "body.user_id", id="empty-id"),
        pytest.param(RECOMMEND, {"user_id": "a\x00b"}, "body.user_id", id="nul-in-id"),
        pytest.param(RECOMMEND, {"user_id": "x" * 257}, "body.user_id", id="long-id"),
        pytest.param(RECOMMEND, {"text": "a\x00b"}, "body.text", id="nul-in-text"),
        pytest.param(RECOMMEND, {"text": "x" * 2001}, "body.text", id="long-text"),
        pytest.param(RECOMMEND, {"history": ["i1", 5]}, "body.history.1", id="inside-a-list"),
        pytest.param(RECOMMEND, {"history": ["i1"] * 1001}, "body.history", id="long-list"),
        pytest.param(RECOMMEND, {"deadline_ms": 0}, "body.deadline_ms", id="no-time"),
        pytest.param(EVENT, {"event_id": "e", "user_id": "u"}, "body.item_id", id="missing"),
        pytest.param("/v1/events/batch", {"events": []}, "body.events", id="empty-batch"),
        pytest.param("/v1/score", {"user_id": "u", "items": []}, "body.items", id="nothing-to-score"),
        pytest.param("/v1/keys", {"name": "a", "role": "boss"}, "body.role", id="unknown-role"),
    ],
)
def test_a_value_that_cannot_be_is_told_by_its_place(client, path, body, where):
    assert where in refused(client("POST", path, body), 422, "invalid").where


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"k": NaN}', id="nan"),
        pytest.param(b'{"k": 1e999}', id="infinity"),
        pytest.param(b'{"event_id": "e", "user_id": "u", "item_id": "i1", "value": NaN}', id="nan-value"),
        pytest.param(b'{"text": "\\ud800"}', id="lone-surrogate"),
        pytest.param(b'{"\\ud800": 1}', id="lone-surrogate-key"),
        pytest.param(b'{"text": "\xff\xfe"}', id="not-utf8"),
        pytest.param(b"[" * 100_000, id="deep-lists"),
        pytest.param(b'{"a":' * 100_000, id="deep-objects"),
        pytest.param(b'{"where": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", id="deep-where"),
        pytest.param(b'{"k": ' + b"9" * 5000 + b"}", id="huge-number"),
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"{", id="broken"),
        pytest.param(b'"text"', id="no-object"),
    ],
)
@pytest.mark.parametrize("path", [RECOMMEND, EVENT, "/v1/search"])
def test_bytes_that_break_parsers_are_refused_and_not_repeated(client, path, raw):
    answer = client("POST", path, content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    refused(answer, 422, answer.json()["error"]["code"])
    assert len(answer.content) < 3000


def test_a_million_characters_are_refused_quickly(client):
    for path, body in (
        (RECOMMEND, {"text": "x" * 1_000_000}),
        ("/v1/search", {"text": "好" * 250_000}),
        (EVENT, {"event_id": "e", "user_id": "u", "item_id": "i1", "text": "x" * 1_000_000}),
    ):
        error = refused(client("POST", path, body), 422, "invalid")
        assert error.where == ["body.text"]


def test_numbers_at_the_bounds(client):
    good = {"event_id": "e", "user_id": "u", "item_id": "i1"}
    assert client("POST", EVENT, {**good, "value": -1e9, "time": 0}).status_code == 200
    for bad in ({"time": -1}, {"time": 1e12}, {"value": 1e10}, {"time": "now"}):
        refused(client("POST", EVENT, {**good, **bad}), 422, "invalid")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", EVENT, {"event_id": "e", "user_id": "u", "item_id": "none"}, 404, "unknown"),
        ("POST", RECOMMEND, {"history": ["none"]}, 404, "unknown"),
        ("POST", RECOMMEND, {"candidates": ["none"]}, 404, "unknown"),
        ("POST", RECOMMEND, {"user_id": "u", "history": ["i1"]}, 422, "invalid"),
        ("POST", RECOMMEND, {"where": {"colour": "red"}}, 422, "invalid"),
        ("POST", "/v1/similar", {"item_id": "none"}, 404, "unknown"),
        ("POST", "/v1/score", {"user_id": "u0", "items": ["none"]}, 404, "unknown"),
        ("GET", "/v1/items/none", None, 404, "unknown"),
        ("PATCH", "/v1/items/none", {"title": "x"}, 404, "unknown"),
        ("DELETE", "/v1/items/none", None, 404, "unknown"),
        ("GET", "/v1/users/none", None, 404, "unknown"),
        ("DELETE", "/v1/keys/none", None, 404, "unknown"),
        ("GET", "/v1/items?limit=0", None, 422, "invalid"),
        ("GET", "/v1/items/a%00b", None, 422, "invalid"),
        ("GET", "/v1/nowhere", None, 404, "http"),
        ("GET", "/", None, 404, "http"),
        ("GET", RECOMMEND, None, 405, "http"),
        ("POST", "/health/live", None, 405, "http"),
    ],
)
def test_what_is_not_there_is_refused(client, method, path, body, status, code):
    refused(client(method, path, body), status, code)


def test_an_event_id_that_stands_for_something_else_writes_nothing(client):
    client("POST", EVENT, {"event_id": "e", "user_id": "u", "item_id": "i1"})
    batch = [{"event_id": name, "user_id": "u", "item_id": "i2"} for name in ("a", "e", "b")]
    refused(client("POST", "/v1/events/batch", {"events": batch}), 409, "conflict")
    assert len(client.service.state.events_of("u")) == 1


def test_a_body_past_the_bound_is_refused_with_and_without_its_length(made, client_of):
    client = client_of(made(body_kb=1))
    large = b'{"text": "' + b"x" * 2000 + b'"}'
    headers = {"Content-Type": "application/json"}
    refused(client("POST", RECOMMEND, content=large, headers=headers), 413, "too_large")
    refused(client("POST", RECOMMEND, content=iter([large[:900], large[900:]]), headers=headers), 413, "too_large")
    lying = {**headers, "Content-Length": "1e9"}
    assert client("POST", RECOMMEND, content=b"{}", headers=lying).status_code in (200, 400, 422)
    assert client("POST", RECOMMEND, {"k": 1}).status_code == 200


def test_a_key_that_asks_too_often_waits(made, client_of):
    client = client_of(made(rate=0.1))
    assert client("GET", "/v1/version").status_code == 200
    answer = client("GET", "/v1/version")
    refused(answer, 429, "too_often")
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert client("GET", "/v1/version", role="viewer").status_code == 200  # another key's own
    assert client("GET", "/health/live", role=None).status_code == 200


def test_a_bucket_fills_steadily():
    rates = Rates(2.0)
    assert [rates.wait_s("a", now=0.0) for _ in range(int(2 * SPAN_S))] == [0.0] * 20
    assert rates.wait_s("a", now=0.0) == pytest.approx(0.5)
    assert rates.wait_s("a", now=0.5) == 0.0
    assert rates.wait_s("a", now=0.5) > 0
    assert Rates(0.0).wait_s("a") == 0.0


@pytest.fixture
def held(client, monkeypatch):
    """The desk, held until it is let go of."""
    inside, go = threading.Event(), threading.Event()
    answer = client.service.live.answer

    def slow(*given, **more):
        inside.set()
        assert go.wait(10)
        return answer(*given, **more)

    monkeypatch.setattr(client.service.live, "answer", slow)
    yield inside, go
    go.set()


def test_too_many_lists_are_refused_at_once(client, held):
    inside, go = held
    far = monotonic() + 60
    waiting = [client.service.desk.submit(client.service.live, Ask(), far)]
    assert inside.wait(5)
    waiting += [client.service.desk.submit(client.service.live, Ask(k=k + 1), far) for k in range(64)]
    refused(client("POST", RECOMMEND, {}), 503, "overloaded")
    assert client("GET", "/v1/version").status_code == 200
    go.set()
    for one in waiting:
        one.result(10)
    assert client("POST", RECOMMEND, {}).status_code == 200


def test_a_list_that_does_not_come_in_time_is_refused(client, held):
    refused(client("POST", RECOMMEND, {"deadline_ms": 60}), 503, "overloaded")


def test_too_many_writes_are_refused_at_once(made, client_of):
    client = client_of(made(writes_waiting=1, exposures=False))
    inside, go = threading.Event(), threading.Event()

    def hold(_):
        inside.set()
        assert go.wait(10)

    client.service.writer.submit(hold)
    assert inside.wait(5)
    waiting = client.service.writer.submit(lambda _: None)
    refused(client("PUT", "/v1/items/n", {"title": "x"}), 503, "overloaded")
    refused(client("POST", EVENT, {"event_id": "e", "user_id": "u", "item_id": "i1"}), 503, "overloaded")
    assert client("POST", RECOMMEND, {}).status_code == 200
    go.set()
    waiting.result(5)


def test_a_service_that_starts_says_so_and_lives(client):
    client.service.ready = False
    refused(client("GET", "/health/ready", role=None), 503, "starting")
    refused(client("POST", RECOMMEND, {}), 503, "starting")
    assert client("GET", "/health/live", role=None).status_code == 200


def test_a_disk_that_is_nearly_full_takes_no_more_and_goes_on_reading_and_deleting(made, client_of, monkeypatch):
    client = client_of(made(reserve_mb=200))
    client("POST", EVENT, {"event_id": "a", "user_id": "u", "item_id": "i1"})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6))
    for method, path, body in (
        ("POST", EVENT, {"event_id": "e", "user_id": "u", "item_id": "i1"}),
        ("POST", "/v1/events/stream", {"event_id": "e", "user_id": "u", "item_id": "i1"}),
        ("PUT", "/v1/items/n", {"title": "x"}),
        ("PATCH", "/v1/items/i1", {"title": "x"}),
        ("POST", "/v1/items/bulk", {"items": [{"item_id": "n"}]}),
        ("PUT", "/v1/users/u", {"text": "x"}),
    ):
        error = refused(client(method, path, body), 507, "disk_full")
        assert "make room" in error.message
    assert client("POST", RECOMMEND, {"user_id": "u"}).status_code == 200
    assert client("DELETE", "/v1/items/i1").status_code == 200
    assert client("DELETE", "/v1/users/u").json()["removed"]["events"] == 1


def test_a_bug_is_told_without_its_cause(client, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("a secret inside")

    monkeypatch.setattr(client.service.live, "answer", broken)
    monkeypatch.setattr(client.service.live, "crowd", broken)
    error = refused(client("POST", RECOMMEND, {}), 500, "bug")
    assert "secret" not in error.message
    assert "a secret inside" in caplog.text
