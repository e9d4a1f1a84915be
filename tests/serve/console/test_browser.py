"""The console in a real browser, over a real server: what a person does from signing in to another language."""

import re
import shutil
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import uvicorn

from palate.serve.app import application
from palate.serve.events import Event

CHROMIUM = "/usr/bin/chromium"
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not shutil.which(CHROMIUM), reason=f"{CHROMIUM} is not installed")


@pytest.fixture
def address(service) -> Iterator[str]:
    config = uvicorn.Config(application(service), host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(address, chromium) -> Iterator["sync_api.Page"]:
    """A phone's page; it must ask for nothing elsewhere, and nothing may go wrong in it."""
    asked, wrong = [], []
    page = chromium.new_page(locale="en-GB", viewport={"width": 390, "height": 844}, base_url=address)
    page.set_default_timeout(10_000)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    page.close()
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(address).netloc}
    assert wrong == []


def test_a_person_signs_in_tries_a_list_edits_an_item_and_switches_the_language(page, service, secrets):
    page.goto("/console/")
    page.locator("#key:focus").wait_for()
    page.keyboard.type(secrets["admin"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/")

    service.tell([Event("e0", "u2", "i2", 1_700_000_000.0)]).result()
    page.evaluate("refresh(main)")  # as it does every ten seconds
    page.get_by_text(re.compile(r"\d s ago")).wait_for()

    page.get_by_role("link", name="Try it").click()
    page.get_by_label("User id, sentence or item id").fill("u1")
    page.get_by_role("button", name="Show the list").click()
    assert page.locator("ol.list > li").count() == 10
    assert page.locator("ol.way > li").count() == 3

    page.locator("ol.list > li a").first.click()
    page.get_by_text("Change", exact=True).click()
    page.get_by_label("Title").fill("<script>document.title = 'lost'</script> found")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("status").inner_text() == "Saved. Lists know of it."
    page.goto("/console/items")
    page.get_by_role("searchbox").fill("found")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="found").first.click()
    assert page.title().startswith("<script>document.title = 'lost'</script> found")

    page.goto("/console/events")
    service.tell([Event("e1", "u1", "i1", 1_700_000_000.0, kind="buy")]).result()
    page.get_by_role("cell", name="buy").wait_for()
    assert page.get_by_role("status").inner_text() == "New events: 1"

    page.get_by_role("button", name="中文").click()
    assert page.get_by_role("heading", level=1).inner_text() == "事件"
    page.get_by_role("button", name="退出登录").click()
    assert page.get_by_role("heading", level=1).inner_text() == "登录"


def test_no_page_is_wider_than_a_phone_and_every_field_has_a_label(page, secrets):
    page.goto("/console/sign-in")
    page.get_by_label("API key").fill(secrets["admin"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/")
    for path in (
        "",
        "try?by=user&for=u1",
        "items",
        "item?id=i1",
        "item/new",
        "quality",
        "versions",
        "settings",
        "keys",
    ):
        page.goto(f"/console/{path}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        fields = "[...document.querySelectorAll('input:not([type=hidden]), textarea, select')]"
        assert page.evaluate(f"{fields}.filter(one => !one.labels.length).length") == 0, path
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
