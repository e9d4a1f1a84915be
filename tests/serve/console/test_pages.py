"""What each page shows and does, over a real service."""

import json
import re
from html import unescape

import pytest
from starlette.testclient import TestClient

from palate.serve import events
from palate.serve.app import application
from palate.serve.console.quality import findings
from palate.serve.events import Event
from serve.console.browsing import EVIL, body


def test_the_overview_counts_what_clients_ask_and_nothing_else(admin, secrets):
    header = {"authorization": f"Bearer {secrets['admin']}"}
    for user in ("u1", "u2", "u3"):
        admin.client.post("/v1/recommend", json={"user_id": user}, headers=header)
    admin.client.post("/v1/recommend", json={"k": 0}, headers=header)
    told = body(admin.get("/"))
    assert "Requests 4 0.0 % failed" in told
    assert "Lists 3 " in told
    assert "Degraded 0.0 % 0 of 3 lists" in told
    assert re.search(r"/v1/recommend 3 1 0 ", told)
    assert "/console" not in told.replace("/console/", "")
    assert re.search(r"retrieve [\d.]+ m?s [\d.]+ m?s 3 ", told)
    assert "4 requests in the last 60 minutes, 0 failed" in told


def test_the_overview_tells_how_fresh_the_data_is(admin, service):
    assert "Last event none yet" in body(admin.get("/"))
    service.tell([Event("e1", "u1", "i1", 1_700_000_000.0)]).result()
    admin.post("/item/save", "/item/new", id="n1", title="space ships on a new planet", new="1")
    told = body(admin.get("/"))
    assert re.search(r"Last event \d s ago", told)
    assert "Events since training 1 1 items known by their text alone" in told


@pytest.mark.parametrize(
    ("query", "basis"),
    [
        ("by=user&for=u1", "history"),
        ("by=user&for=u1&unknown=1", "popularity"),
        ("by=user&for=nobody", "popularity"),
        ("by=text&for=wedding+cakes", "text"),
        ("by=item&for=i1", "history"),
    ],
)
def test_a_list_can_be_tried_for_a_user_a_sentence_and_an_item(admin, service, query, basis):
    told = body(admin.get(f"/try?{query}&k=3"))
    assert f"Rests on {basis} Version local Left out for want of time Nothing was left out." in told
    assert told.count(f"found by {basis}") == 3
    assert re.search(r"Its way retrieve [\d.]+ m?s guard [\d.]+ m?s explain [\d.]+ m?s", told)
    assert events.newest(service.engine, 1) == []


def test_the_list_on_the_page_is_the_one_that_the_api_gives(admin, secrets):
    header = {"authorization": f"Bearer {secrets['admin']}"}
    given = admin.client.post("/v1/recommend", json={"user_id": "u1", "k": 4, "explain": True}, headers=header).json()
    page = admin.get("/try?by=user&for=u1&k=4").text
    assert re.findall(r'/console/item\?id=(\w+)">', page) == [one["item_id"] for one in given["items"]]
    assert given["items"][0]["reasons"][0] in unescape(page)


def test_a_remembered_list_does_not_claim_to_have_gone_through_stages(admin):
    admin.get("/try?by=user&for=u1")
    assert "remembered from a moment ago" in body(admin.get("/try?by=user&for=u1"))


def test_what_was_left_out_is_told_and_counted(admin, service):
    for _ in range(20):
        service.desk.expected(service.live).learn({"explain": 60_000.0})
    told = body(admin.get("/try?by=user&for=u1"))
    assert re.search(r"Its way retrieve [\d.]+ m?s guard [\d.]+ m?s explain left out", told)
    assert "Left out for want of time reasons " in told
    assert "No reason is told." in told
    assert "Degraded 100.0 % 1 of 1 lists" in body(admin.get("/"))


@pytest.mark.parametrize(
    "query", ["by=item&for=none", "by=user&for=u1&k=0", "by=user&for=u1&k=x", "by=text&for=a&deadline_ms=-1"]
)
def test_a_list_that_cannot_be_had_says_why_in_its_place(admin, query):
    answer = admin.get(f"/try?{query}")
    assert answer.status_code == 200
    assert "No list" in body(answer)


def test_a_history_is_shown_to_operators_alone(browser, secrets, service):
    service.tell([Event("e1", "u1", "i3", 1_700_000_000.0)]).result()
    browser.sign_in(secrets["operator"])
    assert "newest first wedding cakes and true love, volume 3 wedding" in body(browser.get("/try?by=user&for=u1"))
    browser.client.cookies.clear()
    browser.sign_in(secrets["recommender"])
    assert "newest first" not in body(browser.get("/try?by=user&for=u1"))


def test_an_item_is_made_found_changed_and_deleted(admin, service):
    form = {"title": "A quiet planet", "description": "far away", "attributes": "shelf = C\nyear = 1972"}
    made = admin.post("/item/save", "/item/new", id="n 1/ä", new="1", **form)
    assert "Saved" in made.text
    assert service.item_fields("n 1/ä") == {
        "title": "A quiet planet", "description": "far away", "shelf": "C", "year": "1972",
    }  # fmt: skip
    assert "A quiet planet" in body(admin.get("/items?q=QUIET"))
    assert admin.get("/items?q=n 1/ä").url.path == "/console/item"
    admin.post("/item/save", id="n 1/ä", title="A loud planet", attributes="")
    assert service.item_fields("n 1/ä") == {"title": "A loud planet"}
    assert "tick the box" in admin.post("/item/delete", id="n 1/ä").text
    assert "Deleted" in admin.post("/item/delete", id="n 1/ä", confirmed="yes").text
    assert admin.get("/item?id=n 1/ä").status_code == 404


def test_a_new_item_does_not_take_the_place_of_one_that_is_there(admin, service):
    before = service.item_fields("i1")
    assert admin.post("/item/save", "/item/new", id="i1", title="mine", new="1").status_code == 409
    assert service.item_fields("i1") == before


@pytest.mark.parametrize(
    "form", [{"id": ""}, {"id": "a\x01"}, {"id": "n", "title": "x" * 2001}, {"id": "n", "attributes": "no sign"}]
)
def test_an_item_out_of_bounds_is_refused_with_the_reason(admin, service, form):
    changes = service.state.item_changes
    answer = admin.post("/item/save", "/item/new", **form)
    assert answer.status_code == 422
    assert re.search("item_id|title|attributes", answer.text)
    assert service.state.item_changes == changes


def test_what_is_posted_is_shown_as_text_and_never_as_markup(admin, service, secrets):
    admin.post("/item/save", "/item/new", id=EVIL, title=EVIL, tags='" onmouseover="x', attributes=f"{EVIL} = {EVIL}")
    service.tell([Event("e1", EVIL, EVIL, 1_700_000_000.0, kind=EVIL)]).result()
    admin.post("/keys/make", "/keys", name=EVIL, role="viewer")
    for path in ("/items", f"/items?q={EVIL}", f"/item?id={EVIL}", "/events", "/keys", f"/try?by=user&for={EVIL}"):
        answer = admin.get(path)
        assert EVIL not in answer.text, path
        assert '" onmouseover="x' not in answer.text
        assert "&lt;script&gt;" in answer.text, path
    assert EVIL not in admin.get(f"/try?by=text&for={EVIL}").text


def test_the_neighbours_of_an_item_are_of_its_own_kind(admin):
    near = re.findall(
        r"volume (\d+)", admin.get("/item?id=i1").text.partition("Neighbours")[2].partition("<details")[0]
    )
    assert len(near) == 8
    assert all(int(volume) % 2 == 1 for volume in near)


def test_viewers_see_items_without_forms_and_without_lists(browser, secrets):
    browser.sign_in(secrets["viewer"])
    told = browser.get("/item?id=i1").text
    assert "volume 1" in told
    assert "/item/save" not in told
    assert "Neighbours" not in told
    assert "By meaning" not in browser.get("/items?q=volume").text


def test_the_numbers_of_data_quality_are_those_of_the_board(service):
    found = {one.name: (one.part, one.whole) for one in findings(service)}
    assert found["items_without_text"] == (0, 20)
    assert found["items_without_events"][0] >= 2  # the last two items of the board
    assert found["users_without_likes"] == (0, 40)
    assert found["events_liked"] == (240, 240)
    assert found["events_again"] == (0, 240)


def test_data_quality_tells_the_notes_and_what_was_sent_again(admin, service):
    one = Event("e1", "u1", "i1", 1_700_000_000.0)
    service.tell([one]).result()
    service.tell([one]).result()
    told = body(admin.get("/quality"))
    assert "liked: everything" in told
    assert "Events sent again since the start worth a look 1 50.0 %" in told


def test_reports_are_listed_with_their_intervals_and_served_in_a_sandbox(admin, service):
    folder = service.folder / "reports"
    folder.mkdir()
    (folder / "may.html").write_text(f"<h1>May</h1>{EVIL}")
    interval = {"mean": 0.3, "low": 0.2, "high": 0.4, "n": 12}
    recipes = [{"recipe": "ease", "test": {"ndcg@10": interval}}]
    (folder / "may.json").write_text(json.dumps({"metric": "ndcg@10", "recipes": recipes, "conclusions": ["as good"]}))
    (folder / "broken.html").write_text("x")
    (folder / "broken.json").write_text("{")
    told = admin.get("/experiments").text
    assert "ease: 0.300, 95 % interval 0.200 to 0.400" in told
    assert "as good" in told
    assert "broken.html" in told
    report = admin.get("/experiments/report?name=may.html")
    assert report.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert "May" in report.text


@pytest.mark.parametrize("name", ["../service.db", "..%2fservice.db", "away.html", "", "service.db"])
def test_only_reports_are_served(admin, service, tmp_path, name):
    folder = service.folder / "reports"
    folder.mkdir()
    (folder / "away.html").symlink_to(service.folder / "service.db")
    assert admin.get(f"/experiments/report?name={name}").status_code == 404


def test_events_are_shown_as_they_came_and_whose_to_operators_alone(browser, secrets, service):
    given = [Event(f"e{n}", f"person{n}", f"i{n % 5}", 1_700_000_000.0 + n, value=2.5, kind="buy") for n in range(105)]
    service.tell(given).result()
    browser.sign_in(secrets["operator"])
    rows = browser.get("/events/rows").text
    numbers = [int(number) for number in re.findall(r'data-seq="(\d+)"', rows)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 100
    assert "person104" in rows
    assert "2023-11-14 22:15:04" in rows
    browser.client.cookies.clear()
    browser.sign_in(secrets["viewer"])
    assert "person" not in browser.get("/events").text + browser.get("/events/rows").text


def test_settings_show_every_option_its_meaning_and_what_is_in_force(admin, service):
    told = body(admin.get("/settings"))
    assert "deadline_ms 5000 changed; declared as 500 How long an answer may take" in told
    assert "from 10 to 60000" in told
    assert "watch_s" in told


def test_a_key_is_shown_once_and_works(admin, service):
    page = admin.post("/keys/make", "/keys", name="till", role="recommender").text
    secret = re.search(r"palate_[\w-]{32}", page)[0]
    assert service.keys.of(secret).role == "recommender"
    assert secret not in admin.get("/keys").text
    assert admin.post("/keys/make", "/keys", name="till", role="king").status_code == 422


def test_nobody_revokes_the_key_they_are_signed_in_with(admin, service, secrets):
    own = service.keys.of(secrets["admin"])
    assert admin.post("/keys/revoke", "/keys", id=own.key_id).status_code == 409
    assert service.keys.of(secrets["admin"]) == own
    assert admin.post("/keys/revoke", "/keys", id="none").status_code == 404


def test_before_it_is_ready_the_console_says_so(admin, service):
    service.ready = False
    assert admin.get("/").status_code == 503
    service.ready = True


def test_a_form_that_is_too_large_is_refused(admin, service):
    form = {"csrf": "x", "description": "x" * (service.config.body_kb * 1024 + 1)}
    assert admin.client.post("/console/item/save", data=form).status_code == 413


def test_static_files_come_with_their_kind_and_nothing_else_does(browser):
    assert browser.get("/static/console.css").headers["content-type"].startswith("text/css")
    assert browser.get("/static/console.js").headers["content-type"].startswith("text/javascript")
    for name in ("../mount.py", "mount.py", "..%2fmount.py", "%2e%2e/mount.py"):
        assert "Palate" not in browser.get(f"/static/{name}").text or browser.get(f"/static/{name}").status_code == 404


def test_behind_a_prefix_links_lead_back_through_it(service, secrets):
    with TestClient(application(service), base_url="http://127.0.0.1", root_path="/shop") as client:
        assert 'action="/shop/console/sign-in"' in client.get("/shop/console/sign-in").text
