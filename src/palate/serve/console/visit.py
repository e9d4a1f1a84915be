"""One request to the console, and the page or the redirection that answers it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from palate.serve.console import charts, form
from palate.serve.console.texts import LANGUAGES, known, told
from palate.serve.keys import Key
from palate.serve.service import Service


class Seen(Protocol):
    """A version in a list. state: "live", "previous", "canary", "idle", "damaged"; card: what is known of it."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def card(self) -> Mapping[str, Any]: ...


class Versions(Protocol):
    """What the page of versions needs of a registry; `who` goes into its audit.

    Each change is in force for the service when the call returns; training goes on beside it.
    Raises a PalateError that says why it is refused.
    """

    def versions(self) -> Sequence[Seen]: ...
    def promote(self, version: str, *, who: str) -> object: ...
    def rollback(self, *, who: str) -> object: ...
    def canary(self, version: str, share: float, *, who: str) -> object: ...
    def end_canary(self, *, who: str) -> object: ...
    def train(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks for what, in which language. key: None where nobody is signed in; csrf: what forms must repeat."""

    request: Request
    service: Service
    registry: Versions | None
    key: Key | None
    language: str
    csrf: str
    form: Mapping[str, str]

    def may(self, role: str) -> bool:
        """Whether who asks has at least that role."""
        return self.key is not None and self.key.may(role)

    def asked(self, name: str, default: str = "") -> str:
        """A value of the address."""
        return self.request.query_params.get(name, default)

    def t(self, key: str, **values: object) -> str:
        """A sentence in the visitor's language."""
        return told(self.language, key, **values)

    def at(self, path: str, **query: str) -> str:
        """The address of a page of the console."""
        root: str = self.request.scope.get("root_path", "")
        return root + path + (f"?{urlencode(query)}" if query else "")

    @property
    def here(self) -> str:
        """The address to come back to: this page's, or the first one's where this is what became of a form."""
        url = self.request.url
        return (url.path + (f"?{url.query}" if url.query else "")) if self.request.method == "GET" else self.at("/")

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page of HTML."""
        done = self.asked("done")
        html = _environment().get_template(template).render(
            visit=self, t=self.t, at=self.at, named=self._named, charts=charts, form=form, languages=LANGUAGES,
            here=self.here,
            done=self.t(f"done.{done}") if known(f"done.{done}") else "", **values,
        )  # fmt: skip
        return HTMLResponse(html, status)

    def to(self, path: str, done: str = "", **query: str) -> Response:
        """Go on to a page, which says what was done; done: what stands after "done." in the texts."""
        return RedirectResponse(self.at(path, **query, **({"done": done} if done else {})), 303)

    def sorry(self, status: int, message: str) -> Response:
        """A page that says why not."""
        return self.page("error.html", status, code=status, message=message)

    def _named(self, kind: str, name: str) -> str:
        """What a value of the service is called, or the value itself where it has no name in the texts."""
        return self.t(f"{kind}.{name}") if known(f"{kind}.{name}") else name


@dataclass(frozen=True, slots=True)
class Page:
    """A route of the console: what answers it, and which role it takes; "" is for everybody."""

    path: str
    answer: Callable[[Visit], Response]
    role: str
    method: str = "GET"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("palate.serve.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
