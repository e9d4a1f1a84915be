"""Who is signed in: a random id in a cookie, all else in this process's memory."""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, field

from cachetools import TTLCache
from starlette.requests import Request
from starlette.responses import Response

HOURS = 8  # until one has to sign in again
MOST = 1000  # sessions; past it those that were used longest ago end
SESSION = "palate_console"
FORM = "palate_form"  # what forms repeat of those who are not signed in


@dataclass(frozen=True, slots=True)
class Session:
    """A key that signed in; csrf: what every form of theirs repeats."""

    key_id: str
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Sessions:
    """At most MOST sessions of HOURS hours, found by the hash of their id."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._known: TTLCache[str, Session] = TTLCache(MOST, HOURS * 3600)

    def begin(self, key_id: str) -> str:
        """Sign a key in; returns the id, which only the cookie holds."""
        name = secrets.token_urlsafe(32)
        with self._turn:
            self._known[_hash(name)] = Session(key_id)
        return name

    def of(self, request: Request) -> Session | None:
        """The session of a request's cookie."""
        with self._turn:
            return self._known.get(_hash(request.cookies.get(SESSION, "")))

    def end(self, request: Request) -> None:
        """Sign out."""
        with self._turn:
            self._known.pop(_hash(request.cookies.get(SESSION, "")), None)


def permitted(request: Request, sent: str, expected: str) -> bool:
    """Whether a form was sent by a page of ours: it repeats what we gave it, and the browser names no other origin."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return False
    return bool(expected) and hmac.compare_digest(sent.encode(), expected.encode())


def set_cookie(request: Request, response: Response, name: str, value: str, *, hours: int = HOURS) -> None:
    """A cookie that scripts do not read and other sites' pages do not send; "" takes it away."""
    response.set_cookie(
        name,
        value,
        max_age=hours * 3600 if value else 0,
        path=request.scope.get("root_path") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode("utf8", "surrogatepass")).hexdigest()
