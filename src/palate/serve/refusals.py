"""Every way a request can fail, to its status and a body that says where and what, and never repeats the input."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from palate.errors import (
    ConfigError,
    ConflictError,
    FullError,
    OverloadError,
    PalateError,
    StoreError,
    UnknownIdError,
    VersionError,
)
from palate.runtime import log
from palate.serve.schemas import Refusal

STATUS: Mapping[type[PalateError], tuple[int, str]] = {
    UnknownIdError: (404, "unknown"),
    ConflictError: (409, "conflict"),
    VersionError: (409, "version"),
    ConfigError: (422, "invalid"),
    OverloadError: (503, "overloaded"),
    FullError: (507, "disk_full"),
    StoreError: (503, "store"),
}
MEANING = {
    405: "Another method than the path has.",
    401: "No key, or one that is not known.",
    403: "The key's role may not do this.",
    404: "An id that is not known.",
    409: "An id that stands for something else already.",
    413: "The body is too large.",
    422: "A value that is missing, unknown or out of range; `where` names the place.",
    429: "Too many requests from this key; Retry-After says when.",
    503: "Too much is waiting, or the service is starting; Retry-After says when.",
    507: "The disk is nearly full: nothing is written, reading and deleting go on.",
}


class RefusedError(Exception):
    """A request that is refused before it reaches the service."""

    def __init__(self, status: int, code: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s


def told(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route declares of its refusals; 401, 403, 422, 429 and 503 are every route's."""
    every = sorted({401, 403, 422, 429, 503, *statuses})
    return {status: {"model": Refusal, "description": MEANING[status]} for status in every}


def refusal(
    request_id: str, status: int, code: str, message: str, where: tuple[str, ...] = (), retry_after_s: float = 0.0
) -> Response:
    """The answer that refuses; ASCII alone, so that any text can stand in it."""
    body = {"error": {"code": code, "message": message, "where": list(where)}, "request_id": request_id}
    headers = {"Retry-After": str(max(1, round(retry_after_s)))} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(json.dumps(body), status, headers, "application/json")


def handled(app: FastAPI) -> None:
    """Give an application its handlers."""

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        broken = any(one["type"] == "json_invalid" for one in found)
        where = tuple(".".join(map(str, one["loc"])) for one in found[:20])
        message = "; ".join(f"{place}: {one['msg']}" for place, one in zip(where, found, strict=False))
        return refusal(_id(request), 422, "not_json" if broken else "invalid", message, where)

    async def expected(request: Request, error: Exception) -> Response:
        status, code = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "failed"))
        return refusal(_id(request), status, code, str(error), retry_after_s=1.0)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        return refusal(_id(request), error.status, error.code, str(error), retry_after_s=error.retry_after_s)

    async def plain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(found := request.scope.get("refused"), Response):
            return found
        if error.status_code == 400:  # a body that no parser could read
            return refusal(_id(request), 422, "not_json", "body: not JSON that can be read", ("body",))
        answer = refusal(_id(request), error.status_code, "http", str(error.detail))
        answer.headers.update(dict(error.headers or {}))
        return answer

    async def database(request: Request, error: Exception) -> Response:
        assert isinstance(error, DBAPIError)
        log.error("the database refused a read: %s", error.orig)
        return refusal(_id(request), 503, "store", "the database does not answer; ask again in a moment", (), 1.0)

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(DBAPIError, database)
    app.add_exception_handler(PalateError, expected)
    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(HTTPException, plain)


def _id(request: Request) -> str:
    return str(request.scope.get("request_id", ""))
