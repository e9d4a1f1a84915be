"""The first and last thing a request meets: an id, bounds on its body, refusal where there is too much, a log line."""

import json
import logging
import re
import secrets
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from palate.runtime import log
from palate.serve.refusals import refusal
from palate.serve.service import Service

LISTS = frozenset({"/v1/recommend", "/v1/similar", "/v1/search", "/v1/score"})
STREAM = "/v1/events/stream"  # bounded line by line
_GIVEN = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")

requests_log = logging.getLogger("palate.requests")


class _TooLargeError(Exception):
    pass


class Edge:
    """ASGI middleware, before anything of the request is read.

    The log has one JSON line for each request: id, route, status, milliseconds and whose key; no texts, no user ids.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._most = service.config.body_kb * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        scope["request_id"] = request_id = _request_id(scope)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", request_id.encode())]}
            await send(message)

        answer = self._refused(scope)
        if answer is not None:
            await answer(scope, receive, sending)
        else:
            try:
                await self._app(scope, self._bounded(scope, receive), sending)
            except Exception as error:
                log.error("request %s failed", request_id, exc_info=error)
                if status:
                    raise  # half an answer is out
                message = "this should not have happened; the log has the cause"
                await refusal(request_id, 500, "bug", message)(scope, receive, sending)
        self._done(scope, status, perf_counter() - start)

    def _refused(self, scope: Scope) -> Any:
        """The refusal that costs nothing: no room for another list, or a body that says that it is too large."""
        if scope["path"] in LISTS and self._service.busy:
            self._service.counters.refused.labels("busy").inc()
            message = "too many requests are waiting; ask again in a moment"
            return refusal(scope["request_id"], 503, "overloaded", message, retry_after_s=1.0)
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if scope["path"] != STREAM and length.isdigit() and int(length) > self._most:
            return self._too_large(scope["request_id"])
        return None

    def _too_large(self, request_id: str) -> Any:
        self._service.counters.refused.labels("large").inc()
        return refusal(
            request_id, 413, "too_large", f"the body is larger than {self._most // 1024} kB; send less at once"
        )

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        if scope["path"] == STREAM:
            return receive
        size = 0

        async def receiving() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._most:
                scope["refused"] = self._too_large(scope["request_id"])  # what reads the body hides what it raises
                raise _TooLargeError
            return message

        return receiving

    def _done(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other" if scope["path"] not in LISTS else scope["path"])
        counters = self._service.counters
        counters.requests.labels(route, str(status)).inc()
        counters.latency.labels(route).observe(seconds)
        if requests_log.isEnabledFor(logging.INFO):
            line = {"request_id": scope["request_id"], "route": route, "method": scope["method"], "status": status,
                    "ms": round(seconds * 1000, 2), "key": scope.get("key_id", "")}  # fmt: skip
            requests_log.info(json.dumps(line))


def _request_id(scope: Scope) -> str:
    """The client's, where it is short and plain, so that logs of both sides agree; else a new one."""
    given: bytes = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if _GIVEN.match(given) else secrets.token_hex(8)
