"""What the page of versions shows and does, over a real service and over versions by hand."""

from dataclasses import dataclass, field, replace

import pytest
from starlette.testclient import TestClient

from palate.errors import ConflictError
from palate.serve.app import application
from palate.serve.attempt import Attempt
from palate.serve.console.mount import console_routes
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from serve.console.browsing import EVIL, Browser, body


@dataclass
class Shelf:
    """Versions by hand: what the page asks of a registry."""

    states: dict[str, str]
    share: float = 0.0
    by: list[str] = field(default_factory=list)

    def versions(self):
        return [Kept(name, state, {"recipe": "classic", "note": EVIL}) for name, state in self.states.items()]

    def promote(self, version, *, who):
        if self.states.get(version) == "refused":
            raise ConflictError(f"{version}: the gate refused it")
        self.by.append(who)
        self.states = {name: "previous" if state == "live" else state for name, state in self.states.items()}
        self.states[version] = "live"

    def rollback(self, *, who):
        self.states = {n: {"live": "idle", "previous": "live"}.get(s, s) for n, s in self.states.items()}

    def canary(self, version, share, *, who):
        self.states[version], self.share = "canary", share

    def train(self):
        if "trained" in self.by:
            raise ConflictError("training is under way; wait until it ends")
        self.by.append("trained")

    def end_canary(self, *, who):
        self.states = {name: "idle" if state == "canary" else state for name, state in self.states.items()}


@dataclass
class Kept:
    id: str
    state: str
    card: dict


@pytest.fixture
def shelf(service):
    return Shelf({"v1": "live", "v2": "idle", "v3": "refused"})


@pytest.fixture
def with_registry(browser, service, secrets, shelf):
    routes = browser.client.app.router.routes
    routes[[getattr(one, "path", "") for one in routes].index("/console")] = console_routes(service, shelf)
    browser.sign_in(secrets["operator"])
    return browser


def test_versions_are_promoted_tried_and_rolled_back(with_registry, shelf):
    assert "share of the people" in with_registry.post("/versions/canary", id="v2", percent="5").text
    assert (shelf.states["v2"], shelf.share) == ("canary", 0.05)
    with_registry.post("/versions/end-canary")
    assert shelf.states["v2"] == "idle"
    assert "answers everybody now" in with_registry.post("/versions/promote", id="v2").text
    assert shelf.states == {"v1": "previous", "v2": "live", "v3": "refused"}
    assert shelf.by[0].startswith("operator (")
    assert "answers again" in with_registry.post("/versions/roll-back").text
    assert shelf.states["v1"] == "live"
    assert EVIL not in with_registry.get("/versions").text


def test_why_a_version_is_refused_is_told(with_registry):
    answer = with_registry.post("/versions/promote", id="v3")
    assert answer.status_code == 409
    assert "the gate refused it" in answer.text
    assert with_registry.post("/versions/canary", id="v2", percent="many").status_code == 422


def test_training_is_begun_and_what_came_of_the_last_one_is_shown(with_registry, shelf, service):
    assert "Train now" in with_registry.get("/versions").text
    assert "Training has begun" in with_registry.post("/versions/train").text
    assert shelf.by == ["trained"]
    assert with_registry.post("/versions/train").status_code == 409
    Attempt(0.0, ended=50.0, how="killed", signal="SIGKILL", kills=2).keep(service.folder)
    told = body(with_registry.get("/versions"))
    assert "Began 1970-01-01 00:00:00 UTC Outcome killed (SIGKILL) What to do Often the memory was full" in told
    assert "Tried again from 1970-01-01 00:02:50 UTC" in told
    Attempt(0.0, how="failed", why=EVIL).keep(service.folder)
    assert EVIL not in with_registry.get("/versions").text


def test_a_viewer_sees_how_training_went_and_begins_none(with_registry, secrets):
    with_registry.sign_in(secrets["viewer"])
    told = with_registry.get("/versions").text
    assert "Training" in told
    assert "Train now" not in told
    assert with_registry.post("/versions/train").status_code == 403


def test_without_a_registry_the_one_version_is_shown_and_nothing_offered(admin):
    told = admin.get("/versions").text
    assert "One version, no registry" in told
    assert "/versions/promote" not in told
    assert admin.post("/versions/promote", id="v").status_code == 422


def test_the_service_follows_the_registry_that_the_page_moves(service, small_model, secrets):
    registry = Registry(service.folder)
    first = registry.publish(small_model)
    registry.promote(first, force=True)
    second = registry.publish(replace(small_model, about={"recipe": "another"}))
    lineup = Lineup(service, registry)
    lineup.start(None)
    with TestClient(application(service, lineup), base_url="http://127.0.0.1") as client:
        browser = Browser(client)
        browser.sign_in(secrets["operator"])
        told = body(browser.get("/versions"))
        assert f"{second} idle Recipe another" in told
        assert f"{first} live Recipe small" in told
        refused = browser.post("/versions/promote", "/versions", id=second)
        assert refused.status_code == 409
        assert "it was not judged against" in refused.text
        registry.promote(second, force=True)
        lineup.look()
        assert service.live.name == second
        browser.post("/versions/roll-back", "/versions")
        assert service.live.name == first
        assert registry.audit()[-1]["who"].startswith("operator (")
