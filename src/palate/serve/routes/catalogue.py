"""Items: read, post, change, delete; what is posted is in lists within a second, without training."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from palate.serve.annex import COLUMNS
from palate.serve.entries import Entry
from palate.serve.refusals import told
from palate.serve.routes.access import allowed, the_service, written
from palate.serve.schemas import BulkItems, Id, ItemAnswer, ItemBody, ItemPatch, ItemsAnswer, Written
from palate.serve.service import Service

router = APIRouter(prefix="/v1/items", tags=["items"])
TheService = Annotated[Service, Depends(the_service)]
_READ, _WRITE = [allowed("viewer")], [allowed("operator")]
_WRITES = told(404, 413, 507)


@router.get("", dependencies=_READ, responses=told())
async def items(
    service: TheService, after: Id | None = None, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> ItemsAnswer:
    """Items by id, a page at a time."""
    page = service.item_ids(after, limit)
    found = [_answer(service, name) for name in page]
    return ItemsAnswer(items=found, next=page[-1] if len(page) == limit else None)


@router.post("/bulk", dependencies=_WRITE, responses=_WRITES)
async def bulk(body: BulkItems, service: TheService) -> Written:
    """Several items, written together or not at all; each replaces what stood under its id."""
    return await _put(service, [_entry(one.item_id, one) for one in body.items])


@router.get("/{item_id}", dependencies=_READ, responses=told(404))
async def item(item_id: Id, service: TheService) -> ItemAnswer:
    """An item as it is now."""
    return _answer(service, item_id)


@router.put("/{item_id}", dependencies=_WRITE, responses=_WRITES)
async def put(item_id: Id, body: ItemBody, service: TheService) -> Written:
    """Post an item, or replace all that is said of it."""
    return await _put(service, [_entry(item_id, body)])


@router.patch("/{item_id}", dependencies=_WRITE, responses=_WRITES)
async def patch(item_id: Id, body: ItemPatch, service: TheService) -> Written:
    """Change what is named and leave the rest."""
    told = body.model_dump(exclude_unset=True, exclude_none=True)
    fields = service.item_fields(item_id) | told.pop("attributes", {}) | told
    return await _put(service, [Entry(item_id, fields)])


@router.delete("/{item_id}", dependencies=_WRITE, responses=_WRITES)
async def delete(item_id: Id, service: TheService) -> Written:
    """Take an item out of every list."""
    service.item_fields(item_id)
    return await _put(service, [Entry(item_id, deleted=True)])


async def _put(service: Service, entries: list[Entry]) -> Written:
    """Write, then read: the answer comes when lists hold them, or after a second."""
    await written(lambda: service.put("item", entries))
    return Written(written=len(entries), searchable=await service.has_read_on())


def _entry(item_id: str, body: ItemBody) -> Entry:
    columns = {name: getattr(body, name) for name in COLUMNS}
    return Entry(item_id, body.attributes | {name: text for name, text in columns.items() if text})


def _answer(service: Service, item_id: str) -> ItemAnswer:
    fields = service.item_fields(item_id)
    columns = {name: fields.pop(name, "") for name in COLUMNS}
    trained = item_id in service.live.model.data.items.ids
    return ItemAnswer(item_id=item_id, attributes=fields, trained=trained, **columns)
