"""People: what is posted of them, what is held of them, and their erasure."""

from dataclasses import asdict
from time import time
from typing import Annotated

from fastapi import APIRouter, Depends

from palate.serve.entries import Entry
from palate.serve.refusals import told
from palate.serve.routes.access import allowed, the_service, written
from palate.serve.schemas import Erased, Id, UserAnswer, UserBody, Written
from palate.serve.service import Service

router = APIRouter(prefix="/v1/users", tags=["users"], dependencies=[allowed("operator")])
TheService = Annotated[Service, Depends(the_service)]
REMAINING = (
    "models trained before hold what they learned of this person until the next training and read none of it; copies "
    "of the database made before hold it as long as they are kept"
)


@router.get("/{user_id}", responses=told(404))
async def user(user_id: Id, service: TheService) -> UserAnswer:
    """All that is held of a person."""
    fields, trained, events = service.user_record(user_id)
    text = fields.pop("text", "")
    told_events = [asdict(one) for one in events]
    return UserAnswer(user_id=user_id, text=text, attributes=fields, trained=trained, events=told_events)


@router.put("/{user_id}", responses=told(413, 507))
async def put(user_id: Id, body: UserBody, service: TheService) -> Written:
    """Post a person, or replace what was posted; events stay."""
    fields = body.attributes | ({"text": body.text} if body.text else {})
    forgotten = service.forgotten(user_id)
    await written(lambda: service.put("user", [Entry(user_id, fields, deleted=forgotten)]))
    return Written(written=1, searchable=True)


@router.delete("/{user_id}", responses=told(507))
async def erase(user_id: Id, service: TheService) -> Erased:
    """Remove a person: events, lists shown, what was posted; with a receipt. Also where nothing is held."""
    removed = await written(lambda: service.erase(user_id))
    return Erased(user_id=user_id, time=time(), removed=removed, remaining=REMAINING)
