"""API keys: list, make, revoke."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends

from palate.serve import keys
from palate.serve.refusals import told
from palate.serve.routes.access import allowed, the_service, written
from palate.serve.schemas import Id, KeyAnswer, KeyBody, NewKey
from palate.serve.service import Service

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[allowed("admin")])
TheService = Annotated[Service, Depends(the_service)]


@router.get("", responses=told())
async def every(service: TheService) -> list[KeyAnswer]:
    """Every key, revoked ones too; no secrets."""
    return [KeyAnswer(**asdict(one)) for one in service.keys.all()]


@router.post("", responses=told(413))
async def make(body: KeyBody, service: TheService) -> NewKey:
    """A new key; its secret stands in this answer and nowhere else."""
    key, secret = await written(
        lambda: service.writer.submit(lambda connection: keys.make(connection, body.name, body.role))
    )
    service.keys.forget()
    return NewKey(**asdict(key), secret=secret)


@router.delete("/{key_id}", responses=told(404))
async def revoke(key_id: Id, service: TheService) -> KeyAnswer:
    """Make a key worthless, at once."""
    await written(lambda: service.writer.submit(lambda connection: keys.revoke(connection, key_id)))
    return KeyAnswer(**asdict(next(one for one in service.keys.all() if one.key_id == key_id)))
