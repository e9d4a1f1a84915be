"""Every route as it is meant to be used: lists, events, items, people, keys, health."""

import logging

import pytest

from palate.serve.state import State


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [one["item_id"] for one in answer.json()["items"]]


def event(name, user="u0", item="i1", **more):
    return {"event_id": name, "user_id": user, "item_id": item, **more}


def test_a_user_gets_a_list_with_ranks_and_reasons(client):
    answer = client("POST", "/v1/recommend", {"user_id": "u0", "k": 2, "explain": True, "timings": True})
    body = answer.json()
    assert [one["rank"] for one in body["items"]] == [1, 2]
    assert all(one["item_id"] in ("i0", "i2", "i4", "i6", "i8", "i10", "i12", "i14", "i16") for one in body["items"])
    assert body["items"][0]["reasons"]
    assert (body["basis"], body["version"], body["degraded"]) == ("history", "first", [])
    assert body["timings_ms"]["retrieve"] > 0
    assert body["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("ask", "basis"),
    [
        pytest.param({"text": "true love"}, "text", id="words"),
        pytest.param({"history": ["i1", "i3"]}, "history", id="a-history"),
        pytest.param({"user_id": "nobody"}, "popularity", id="a-stranger"),
        pytest.param({}, "popularity", id="everybody"),
    ],
)
def test_a_list_says_what_it_rests_on(client, ask, basis):
    answer = client("POST", "/v1/recommend", {"k": 3, **ask})
    assert len(ids(answer)) == 3
    assert answer.json()["basis"] == basis


def test_an_event_changes_the_next_list(client):
    before = ids(client("POST", "/v1/recommend", {"user_id": "new", "k": 5}))
    for number, item in enumerate(["i1", "i3", "i5"]):
        told = client("POST", "/v1/events", event(f"e{number}", "new", item))
        assert told.json()["accepted"] == 1
    after = client("POST", "/v1/recommend", {"user_id": "new", "k": 5})
    assert after.json()["basis"] == "history"
    assert ids(after) != before
    assert not {"i1", "i3", "i5"} & set(ids(after))
    assert sum(int(one[1:]) % 2 for one in ids(after)) >= 4  # of the taste that the events tell


def test_what_was_had_is_shown_where_it_is_asked_for(client):
    client("POST", "/v1/events", event("e", "new", "i1"))
    assert "i1" not in ids(client("POST", "/v1/recommend", {"user_id": "new", "k": 20}))
    assert "i1" in ids(client("POST", "/v1/recommend", {"user_id": "new", "k": 20, "include_seen": True}))


def test_filters_bound_a_list(client):
    assert set(ids(client("POST", "/v1/recommend", {"allow": ["i3", "i4", "no"], "k": 9}))) == {"i3", "i4"}
    assert "i3" not in ids(client("POST", "/v1/recommend", {"deny": ["i3"], "k": 20}))
    shelf = ids(client("POST", "/v1/recommend", {"where": {"shelf": "A"}, "k": 20}))
    assert shelf
    assert all(int(one[1:]) % 2 == 0 for one in shelf)
    both = ids(client("POST", "/v1/search", {"text": "planets", "where": {"shelf": ["A", "B"]}, "k": 20}))
    assert len(both) == 20
    given = ids(client("POST", "/v1/recommend", {"user_id": "u0", "candidates": ["i1", "i2", "i1"]}))
    assert given == ["i2", "i1"]


def test_search_similar_and_score(client):
    assert all(int(one[1:]) % 2 for one in ids(client("POST", "/v1/search", {"text": "wedding cakes", "k": 5})))
    similar = ids(client("POST", "/v1/similar", {"item_id": "i2", "k": 4}))
    assert "i2" not in similar
    assert all(int(one[1:]) % 2 == 0 for one in similar)
    scores = client("POST", "/v1/score", {"user_id": "u0", "items": ["i1", "i2", "i1"]}).json()["scores"]
    assert [one["item_id"] for one in scores] == ["i1", "i2", "i1"]
    assert scores[0] == scores[2]
    assert scores[1]["score"] > scores[0]["score"]


def test_events_are_counted_once(client):
    both = {"events": [event("a"), event("b", kind="buy", value=3.5, text="good", time=5.0)]}
    assert client("POST", "/v1/events/batch", both).json() | {"last_seq": 0} == {
        "accepted": 2,
        "repeated": 0,
        "last_seq": 0,
    }
    again = client("POST", "/v1/events/batch", {"events": [*both["events"], event("c")]}).json()
    assert (again["accepted"], again["repeated"]) == (1, 2)
    assert client("GET", "/v1/version").json()["events_since_training"] == 3


def stream(client, *lines):
    return client("POST", "/v1/events/stream", content=b"\n".join(lines))


def line(name, **more):
    pairs = ", ".join(f'"{key}": "{value}"' for key, value in event(name, **more).items())
    return f"{{{pairs}}}".encode()


def test_a_stream_of_lines_is_written(client):
    answer = stream(client, line("a"), b"", line("b"), line("a"), b"  ")
    assert (answer.json()["accepted"], answer.json()["repeated"]) == (2, 0)
    assert stream(client, line("a"), line("c")).json()["accepted"] == 1
    assert stream(client).json() == {"accepted": 0, "repeated": 0, "last_seq": 0}


@pytest.mark.parametrize(
    ("bad", "status", "complaint"),
    [
        pytest.param(b"{", 422, "line.3", id="not-json"),
        pytest.param(b'{"event_id": "x"}', 422, "line.3.user_id", id="missing"),
        pytest.param(line("x", item="none"), 404, 'item "none" is not known', id="unknown-item"),
        pytest.param(line("x", text="\\ud800"), 422, "line.3", id="surrogate"),
        pytest.param(b'"' + b"x" * 70_000, 413, "longer than 64 kB", id="long"),
    ],
)
def test_a_stream_that_breaks_off_says_where_and_keeps_whole_parts(client, bad, status, complaint, monkeypatch):
    monkeypatch.setattr("palate.serve.routes.events.MOST_EVENTS", 2)
    answer = stream(client, line("a"), line("b"), bad)
    assert answer.status_code == status
    assert complaint in answer.json()["error"]["message"]
    assert client.service.state.last_seq > 0
    assert stream(client, line("a"), line("b")).json()["repeated"] == 2


def test_a_posted_item_is_found_at_once_and_gone_once_deleted(client):
    item = {"title": "wedding planets", "attributes": {"shelf": "C"}}
    assert client("PUT", "/v1/items/n1", item).json() == {"written": 1, "searchable": True}
    assert client("GET", "/v1/items/n1").json() == {
        "item_id": "n1", "title": item["title"], "description": "", "tags": "", "attributes": {"shelf": "C"},
        "trained": False,
    }  # fmt: skip
    found = client("POST", "/v1/search", {"text": "wedding planets", "k": 1}).json()["items"][0]
    assert (found["item_id"], found["new"], found["title"]) == ("n1", True, item["title"])
    assert client("PATCH", "/v1/items/n1", {"title": "love planets", "attributes": {"year": "2001"}}).status_code == 200
    assert client("GET", "/v1/items/n1").json()["attributes"] == {"shelf": "C", "year": "2001"}
    assert client("POST", "/v1/events", event("e", "new", "n1")).status_code == 200
    assert client("DELETE", "/v1/items/n1").json()["searchable"]
    assert "n1" not in ids(client("POST", "/v1/search", {"text": "wedding planets", "k": 30}))
    assert client("GET", "/v1/items/n1").status_code == 404


def test_a_deleted_item_of_the_catalogue_vanishes_from_every_list(client):
    first = ids(client("POST", "/v1/recommend", {"user_id": "u0", "k": 1}))[0]
    client("DELETE", f"/v1/items/{first}")
    for path, body in (("recommend", {"user_id": "u0"}), ("recommend", {}), ("search", {"text": "space"})):
        assert first not in ids(client("POST", f"/v1/{path}", {"k": 30, **body}))
    for path, body in (
        ("recommend", {"candidates": [first]}),
        ("recommend", {"history": [first]}),
        ("similar", {"item_id": first}),
        ("score", {"user_id": "u0", "items": [first]}),
        ("events", event("e", item=first)),
    ):
        assert client("POST", f"/v1/{path}", body).status_code == 404, path
    client("PUT", f"/v1/items/{first}", {"title": "it is back"})
    assert client("GET", f"/v1/items/{first}").json()["title"] == "it is back"
    assert first in ids(client("POST", "/v1/search", {"text": "it is back", "k": 30}))


def test_pages_of_items_have_each_once(client):
    client("POST", "/v1/items/bulk", {"items": [{"item_id": f"n{one}", "title": "new"} for one in range(5)]})
    client("DELETE", "/v1/items/i3")
    seen, after = [], None
    while True:
        page = client("GET", "/v1/items", params={"limit": 7} | ({"after": after} if after else {})).json()
        seen += [one["item_id"] for one in page["items"]]
        if (after := page["next"]) is None:
            break
    assert seen == sorted([f"i{one}" for one in range(20) if one != 3] + [f"n{one}" for one in range(5)])


def test_someone_erased_is_a_stranger_and_a_receipt_says_what_went(client):
    client("PUT", "/v1/users/u0", {"text": "love", "attributes": {"town": "Bonn"}})
    client("POST", "/v1/events", event("e", "u0", "i1", text="a review"))
    client("POST", "/v1/recommend", {"user_id": "u0"})
    held = client("GET", "/v1/users/u0").json()
    assert (held["text"], held["attributes"], held["trained"]) == ("love", {"town": "Bonn"}, True)
    assert [one["text"] for one in held["events"]] == ["a review"]
    receipt = client("DELETE", "/v1/users/u0").json()
    assert receipt["removed"] == {"events": 1, "exposures": 1}
    assert "until the next training" in receipt["remaining"]
    assert client("GET", "/v1/users/u0").status_code == 404
    body = {"user_id": "u0", "k": 5}
    assert client("POST", "/v1/recommend", body).json()["basis"] == "popularity"
    assert ids(client("POST", "/v1/recommend", body)) == ids(client("POST", "/v1/recommend", {"k": 5}))
    assert client("DELETE", "/v1/users/u0").json()["removed"] == {"events": 0, "exposures": 2}


def test_someone_erased_may_begin_anew(client):
    client("DELETE", "/v1/users/u0")
    client("POST", "/v1/events", event("e", "u0", "i1"))
    client("PUT", "/v1/users/u0", {})
    assert client("POST", "/v1/recommend", {"user_id": "u0", "k": 3}).json()["basis"] == "history"
    assert client("GET", "/v1/users/u0").json()["trained"] is False


def test_a_person_is_heard_by_their_words_until_there_is_a_history(client):
    client("PUT", "/v1/users/new", {"text": "wedding cakes and true love"})
    found = client("POST", "/v1/recommend", {"user_id": "new", "k": 4})
    assert found.json()["basis"] == "text"
    assert all(int(one[1:]) % 2 for one in ids(found))


def test_without_personal_nothing_is_read_of_the_user(client, monkeypatch):
    crowd = ids(client("POST", "/v1/recommend", {"k": 5}))

    def refuse(*_):
        raise AssertionError("the state was asked about a user")

    for name in ("events_of", "user"):
        monkeypatch.setattr(State, name, refuse)
    assert client("POST", "/v1/recommend", {"user_id": "u1", "k": 5}).status_code == 500  # the check can fail
    answer = client("POST", "/v1/recommend", {"user_id": "u0", "personal": False, "k": 5})
    assert ids(answer) == crowd
    assert answer.json()["basis"] == "popularity"
    search = client("POST", "/v1/recommend", {"user_id": "u0", "personal": False, "text": "love", "k": 5})
    assert search.json()["basis"] == "text"


def test_a_personal_list_is_logged_as_shown_and_no_other(client):
    client("POST", "/v1/recommend", {"user_id": "u0", "personal": False})
    client("POST", "/v1/recommend", {"text": "love"})
    client("POST", "/v1/recommend", {"user_id": "u0"})
    assert client("DELETE", "/v1/users/u0").json()["removed"]["exposures"] == 1


def test_keys_are_made_listed_and_revoked(client):
    made = client("POST", "/v1/keys", {"name": "shop", "role": "viewer"}).json()
    client.secrets["made"] = made.pop("secret")
    assert client("GET", "/v1/version", role="made").status_code == 200
    assert made in client("GET", "/v1/keys").json()
    assert "secret" not in client("GET", "/v1/keys").text
    assert client("DELETE", f"/v1/keys/{made['key_id']}").json()["revoked"] is True
    assert client("GET", "/v1/version", role="made").status_code == 401


def test_measures_and_the_model_are_told(client):
    client("POST", "/v1/recommend", {"user_id": "u0"})
    client("POST", "/v1/events", event("e"))
    text = client("GET", "/metrics").text
    assert 'palate_requests_total{route="/v1/recommend",status="200"} 1.0' in text
    assert 'palate_events_total{outcome="new"} 1.0' in text
    about = client("GET", "/v1/version").json()
    assert (about["version"], about["items"], about["users"]) == ("first", 20, 40)
    assert client("GET", "/v1/model").json()["version"] == "first"


def test_the_log_has_a_line_for_each_request_and_nothing_of_people(client, caplog):
    with caplog.at_level(logging.INFO):
        client("POST", "/v1/recommend", {"user_id": "u7", "text": "a secret wish"}, headers={"X-Request-ID": "r-1"})
        client("GET", "/v1/users/u7")
        client("PUT", "/v1/users/u7", {"text": "a secret wish"})
        client("POST", "/v1/events", event("e", "u7", "none"))
        client("POST", "/v1/recommend", {"user_id": "u7", "text": 5})
        client("POST", "/v1/nowhere/u7", {})
        client("DELETE", "/v1/users/u7")
    lines = [one.getMessage() for one in caplog.records if one.name == "palate.requests"]
    assert len(lines) == 7
    assert '"request_id": "r-1", "route": "/v1/recommend", "method": "POST", "status": 200' in lines[0]
    assert '"route": "/v1/users/{user_id}"' in lines[1]
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("palate")]
    for secret in ("u7", "secret", *client.secrets.values()):
        assert not any(secret in one for one in ours)


def test_a_restart_finds_everything(made, client_of, tmp_path):
    first = client_of(made())
    first("POST", "/v1/events", event("e", "new", "i1"))
    first("PUT", "/v1/items/n1", {"title": "wedding planets"})
    first("DELETE", "/v1/users/u1")
    body = {"user_id": "new", "k": 5}
    before = ids(first("POST", "/v1/recommend", body))
    first.service.close()
    again = client_of(made())
    assert ids(again("POST", "/v1/recommend", body)) == before
    assert ids(again("POST", "/v1/search", {"text": "wedding planets", "k": 1})) == ["n1"]
    assert again("POST", "/v1/recommend", {"user_id": "u1"}).json()["basis"] == "popularity"
    assert again("POST", "/v1/events", event("e", "new", "i1")).json()["repeated"] == 1


def test_a_list_is_remembered_until_something_changes(client):
    body = {"user_id": "new", "k": 5}
    first = ids(client("POST", "/v1/recommend", body))
    assert ids(client("POST", "/v1/recommend", body)) == first
    assert "palate_cached_total 1.0" in client("GET", "/metrics").text
    client("DELETE", f"/v1/items/{first[0]}")
    assert first[0] not in ids(client("POST", "/v1/recommend", body))
    assert "palate_cached_total 1.0" in client("GET", "/metrics").text
