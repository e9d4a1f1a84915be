"""The checkerboard behind a console: a service over a small model, a key of each role, a browser's way of signing in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from starlette.testclient import TestClient

import palate
from palate.serve import keys
from palate.serve.app import application
from palate.serve.service import Service
from palate.serve.settings import ServeConfig


@dataclass(frozen=True)
class Browser:
    """A client that repeats the token of the page it was shown last, as a browser's form does."""

    client: TestClient

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"/console{path}")

    def post(self, path: str, page: str = "/", **form: str) -> httpx.Response:
        token = re.search(r'name="csrf" value="([^"]+)"', self.get(page).text)
        assert token
        return self.client.post(f"/console{path}", data={"csrf": token[1], **form})

    def sign_in(self, secret: str) -> httpx.Response:
        return self.post("/sign-in", "/sign-in", key=secret)


@pytest.fixture(scope="session")
def small_model(board):
    return palate.fit(board, "classic", encoder="hashing")


@pytest.fixture
def service(small_model, tmp_path) -> Iterator[Service]:
    made = Service(ServeConfig(reserve_mb=0, deadline_ms=5000), tmp_path)
    made.serve(made.open_version("local", small_model))
    yield made
    if made.ready:
        made.close()


@pytest.fixture
def secrets(service) -> dict[str, str]:
    """By role."""
    made = {role: service.writer.submit(lambda c, role=role: keys.make(c, role, role)).result() for role in keys.ROLES}
    service.keys.forget()
    return {role: secret for role, (_, secret) in made.items()}


@pytest.fixture
def browser(service) -> Iterator[Browser]:
    with TestClient(application(service), base_url="http://127.0.0.1", headers={"accept-language": "en"}) as client:
        yield Browser(client)


@pytest.fixture
def admin(browser, secrets) -> Browser:
    assert browser.sign_in(secrets["admin"]).status_code == 200
    return browser
