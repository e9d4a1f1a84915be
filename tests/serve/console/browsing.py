"""A browser's way with forms, without a browser."""

import re
from dataclasses import dataclass
from html import unescape

import httpx
from starlette.testclient import TestClient

EVIL = "<script>alert(1)</script>"


def body(answer: httpx.Response) -> str:
    """The text of a page without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.text)))


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
