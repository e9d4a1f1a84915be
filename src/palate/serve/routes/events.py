"""Events: one, several, or a stream of lines; acknowledged once they are on disk."""

from collections.abc import AsyncIterator
from time import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError

from palate.errors import ConfigError
from palate.serve.events import Event, Receipt
from palate.serve.refusals import RefusedError, told
from palate.serve.routes.access import allowed, the_service, written
from palate.serve.schemas import MOST_EVENTS, EventAnswer, EventBatch, EventBody
from palate.serve.service import Service

router = APIRouter(
    prefix="/v1/events", tags=["events"], dependencies=[allowed("recommender")], responses=told(404, 409, 413, 507)
)
TheService = Annotated[Service, Depends(the_service)]
LINE_KB = 64
_LINES = {"requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


@router.post("")
async def event(body: EventBody, service: TheService) -> EventAnswer:
    """One event; the user's next list knows of it."""
    return _told([await written(lambda: service.tell([_event(body)]))])


@router.post("/batch")
async def batch(body: EventBatch, service: TheService) -> EventAnswer:
    """Several events, written together or not at all."""
    return _told([await written(lambda: service.tell([_event(one) for one in body.events]))])


@router.post("/stream", openapi_extra=_LINES)
async def stream(request: Request, service: TheService) -> EventAnswer:
    """JSON Lines, an event a line, as many as there are; written in parts of MOST_EVENTS.

    A line that cannot be used ends the stream with its number; the parts before its own stay written, and sending all
    again is harmless.
    """
    receipts: list[Receipt] = []
    part: list[Event] = []
    number = 0
    async for line in _lines(request):
        number += 1
        if not line.strip():
            continue
        try:
            part.append(_event(EventBody.model_validate_json(line)))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(["line", str(number), *map(str, first["loc"])])
            raise ConfigError(f"{place}: {first['msg']}") from None
        if len(part) == MOST_EVENTS:
            receipts.append(await _part(service, part))
            part = []
    if part:
        receipts.append(await _part(service, part))
    return _told(receipts)


async def _part(service: Service, part: list[Event]) -> Receipt:
    return await written(lambda: service.tell(part))


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of a body, as they come."""
    rest = b""
    async for piece in request.stream():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
        if len(rest) > LINE_KB * 1024:
            raise RefusedError(413, "too_large", f"a line is longer than {LINE_KB} kB")
    if rest:
        yield rest


def _event(body: EventBody) -> Event:
    return Event(
        body.event_id,
        body.user_id,
        body.item_id,
        time() if body.time is None else body.time,
        body.value,
        body.kind,
        body.text,
    )


def _told(receipts: list[Receipt]) -> EventAnswer:
    new = [event for one in receipts for event in one.new]
    return EventAnswer(
        accepted=len(new),
        repeated=sum(len(one.repeated) for one in receipts),
        last_seq=new[-1].seq if new else 0,
    )
