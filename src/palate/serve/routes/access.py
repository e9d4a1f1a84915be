"""Who asks, and whether they may: what every route but health begins with."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from palate.errors import OverloadError
from palate.serve.keys import Key
from palate.serve.refusals import RefusedError
from palate.serve.service import Service

T = TypeVar("T")
WRITE_S = 10.0  # how long a write may take before the client is told to send it again
_bearer = HTTPBearer(auto_error=False, description="An API key, as `palate keys make` gives it.")


async def the_service(request: Request) -> Service:  # what is not async would run in another thread
    """The service behind the application; refuses while it starts."""
    service: Service = request.app.state.service
    if not service.ready:
        raise RefusedError(503, "starting", "the service is not ready yet; ask again in a moment", 1.0)
    return service


def allowed(role: str) -> Any:
    """What a route depends on that at least this role may use: the key of who asks."""

    async def key_of(
        request: Request,
        given: HTTPAuthorizationCredentials | None = Security(_bearer),  # noqa: B008
    ) -> Key:
        service: Service = request.app.state.service
        key = service.keys.of(given.credentials) if given else None
        if key is None:
            raise RefusedError(401, "no_key", "send a known key: Authorization: Bearer KEY")
        request.scope["key_id"] = key.key_id
        if wait_s := service.rates.wait_s(key.key_id):
            service.counters.refused.labels("rate").inc()
            raise RefusedError(429, "too_often", "too many requests from this key", wait_s)
        if not key.may(role):
            raise RefusedError(403, "role", f"this key is a {key.role}'s; it takes the role {role}")
        return key

    return Depends(key_of)


async def in_thread(work: Callable[[], T]) -> T:
    """What work that reads or writes files comes to, done beside the event loop."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def written(work: Callable[[], "Future[T]"]) -> T:
    """What a write comes to, waited for at most WRITE_S."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(work()), WRITE_S)
    except TimeoutError:
        raise OverloadError(
            "the disk is too slow, and it may be written yet; events, items and people may be sent again"
        ) from None
