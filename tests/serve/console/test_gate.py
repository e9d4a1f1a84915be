"""Who may see and do what in the console, and that only its own pages can make anybody do it."""

import re

import pytest

from palate.serve.console.mount import pages
from palate.serve.console.session import FORM, SESSION, Sessions
from palate.serve.keys import ROLES

PAGES = pages(Sessions())
CLOSED = [page for page in PAGES if page.role]
CHANGES = ("save", "delete", "promote", "roll-back", "canary", "train", "make", "revoke")


def test_no_page_is_left_out():
    assert len([page for page in PAGES if page.method == "GET"]) == 14
    assert len([page for page in PAGES if page.method == "POST"]) == 12
    assert {page.path for page in PAGES if not page.role} == {"/sign-in", "/language"}


def test_whoever_changes_something_is_an_operator_at_least_and_sends_a_form():
    for page in PAGES:
        if page.path.endswith(CHANGES):
            assert page.method == "POST"
            assert page.role in ("operator", "admin")
    assert {page.role for page in PAGES if page.path.startswith(("/keys", "/settings"))} == {"admin"}


def test_after_signing_in_one_is_where_one_wanted_to_be(browser, secrets):
    assert browser.get("/items?q=volume").url.path == "/console/sign-in"
    *_, asked = re.findall(r'name="back" value="([^"]+)"', browser.get("/items?q=volume").text)
    answer = browser.post("/sign-in", "/sign-in", key=secrets["viewer"], back=asked)
    assert str(answer.url).endswith("/console/items?q=volume")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says(browser, secrets, role):
    browser.sign_in(secrets[role])
    for page in CLOSED:
        permitted = ROLES.index(role) >= ROLES.index(page.role)
        if page.method == "GET":
            assert (browser.get(page.path).status_code == 403) != permitted, page
        elif page.path != "/sign-out":
            assert (browser.post(page.path).status_code == 403) != permitted, page


def test_nobody_sees_anything_before_signing_in(browser):
    for page in CLOSED:
        if page.method == "GET":
            answer = browser.client.get(f"/console{page.path}", follow_redirects=False)
            assert answer.status_code in (303, 401), page
            assert "sign-in" in answer.headers.get("location", "sign-in")
        else:
            assert browser.post(page.path, "/sign-in").status_code == 401, page


@pytest.mark.parametrize("given", ["", "wrong", "\N{SNOWMAN}" * 20])
def test_a_wrong_key_does_not_sign_in(browser, given):
    answer = browser.sign_in(given)
    assert answer.status_code == 401
    assert "not known" in answer.text
    assert SESSION not in browser.client.cookies


@pytest.mark.parametrize("page", [one for one in PAGES if one.method == "POST"], ids=lambda page: page.path)
def test_a_form_without_its_token_is_refused(admin, page):
    for form in ({}, {"csrf": ""}, {"csrf": "x" * 32}):
        assert admin.client.post(f"/console{page.path}", data=form).status_code == 403


def test_a_form_from_another_origin_is_refused_even_with_the_token(admin):
    token = re.search(r'name="csrf" value="([^"]+)"', admin.get("/keys").text)[1]
    for origin in ("http://evil.example", "null"):
        form = {"csrf": token, "name": "n", "role": "admin"}
        assert admin.client.post("/console/keys/make", data=form, headers={"origin": origin}).status_code == 403


def test_the_token_of_a_session_is_not_that_of_another(admin, service, secrets):
    token = re.search(r'name="csrf" value="([^"]+)"', admin.get("/keys").text)[1]
    admin.client.cookies.clear()
    admin.sign_in(secrets["admin"])
    assert (
        admin.client.post("/console/keys/make", data={"csrf": token, "name": "n", "role": "viewer"}).status_code == 403
    )


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(browser, secrets):
    first = browser.get("/sign-in").headers["set-cookie"]
    token = browser.client.cookies[FORM]
    form = {"csrf": token, "key": secrets["viewer"]}
    answer = browser.client.post("/console/sign-in", data=form, follow_redirects=False)
    for cookie in (first, answer.headers["set-cookie"]):
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        assert "Path=/console" in cookie
    assert secrets["viewer"] not in answer.headers["set-cookie"]


def test_signing_out_ends_the_session_itself(admin):
    held = admin.client.cookies[SESSION]
    assert "signed out" in admin.post("/sign-out").text
    admin.client.cookies.set(SESSION, held, domain="127.0.0.1", path="/console")
    assert admin.get("/").url.path == "/console/sign-in"


def test_a_revoked_key_is_signed_in_no_longer(browser, service, secrets):
    browser.sign_in(secrets["viewer"])
    assert browser.get("/").url.path == "/console/"
    held = browser.client.cookies[SESSION]
    viewer = service.keys.of(secrets["viewer"])
    browser.client.cookies.clear()
    browser.sign_in(secrets["admin"])
    assert "revoked" in browser.post("/keys/revoke", "/keys", id=viewer.key_id).text
    browser.client.cookies.clear()
    browser.client.cookies.set(SESSION, held, domain="127.0.0.1", path="/console")
    assert browser.get("/").url.path == "/console/sign-in"
    assert browser.sign_in(secrets["viewer"]).status_code == 401


def test_every_answer_forbids_what_pages_do_not_need(admin):
    for path in ("/", "/sign-in", "/nothing", "/keys", "/events/rows", "/items?q=volume"):
        policy = admin.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_pages_hold_no_script_style_or_address_of_another_host(admin):
    for path in ("/", "/try?by=user&for=u1", "/items", "/item?id=i1", "/keys", "/settings", "/events", "/versions"):
        text = admin.get(path).text
        assert not re.search(r"<script(?! src=\"/console/)|<style|\sstyle=|\son\w+=|https?://", text), path


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/console/\\evil", "/console\nx", "/v1/keys"]
)
def test_after_signing_in_one_stays_in_the_console(browser, secrets, back):
    browser.get("/sign-in")
    form = {"csrf": browser.client.cookies[FORM], "key": secrets["viewer"], "back": back}
    answer = browser.client.post("/console/sign-in", data=form, follow_redirects=False)
    assert answer.headers["location"] == "/console/"


def test_the_console_stands_in_no_api_document(browser):
    assert "console" not in browser.client.get("/openapi.json").text


def test_sessions_are_bounded():
    from palate.serve.console import session

    sessions = Sessions()
    for _ in range(session.MOST + 5):
        sessions.begin("k")
    assert len(sessions._known) == session.MOST
