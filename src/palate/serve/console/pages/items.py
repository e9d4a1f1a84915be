"""Items: found by id, title or meaning; one of them with its texts and neighbours; changed and deleted."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from palate.errors import ConfigError, OverloadError, PalateError, UnknownIdError
from palate.serve.annex import COLUMNS
from palate.serve.asks import Ask, Shown
from palate.serve.console.pages.trying import listed
from palate.serve.console.visit import Page, Visit
from palate.serve.console.waiting import waited
from palate.serve.entries import Entry
from palate.serve.routes.access import WRITE_S
from palate.serve.schemas import BulkItem
from palate.serve.service import READ_S, Service

SHOWN = 50  # a page
NEAR = 8  # neighbours


def items(visit: Visit) -> Response:
    """A page of items, or those that words find; an id leads to its item at once."""
    wanted = visit.asked("q").strip()
    if wanted and _is_there(visit.service, wanted):
        return visit.to("/item", id=wanted)
    if wanted:
        named = [(one, _title(visit.service, one)) for one in islice(_titled(visit.service, wanted), SHOWN)]
        return visit.page("items.html", wanted=wanted, found=named, meant=_meant(visit, wanted), after=None)
    page = visit.service.item_ids(visit.asked("after") or None, SHOWN)
    found = [(one, _title(visit.service, one)) for one in page]
    return visit.page("items.html", wanted="", found=found, meant=[], after=page[-1] if len(page) == SHOWN else None)


def item(visit: Visit) -> Response:
    """One item."""
    item_id = visit.asked("id")
    fields = visit.service.item_fields(item_id)
    near: tuple[Shown, ...] = ()
    if visit.may("recommender"):
        near = _near(visit, item_id)
    return visit.page("item.html", item_id=item_id, near=near, **_parts(visit.service, item_id, fields))


def blank(visit: Visit) -> Response:
    """The form for an item that is not there yet."""
    return visit.page("item_new.html", columns=dict.fromkeys(COLUMNS, ""), attributes={})


def save(visit: Visit) -> Response:
    """Write an item as the form has it; what the form leaves empty is gone."""
    item_id, fields = _checked(visit.form)
    if visit.form.get("new") and _is_there(visit.service, item_id):
        return visit.sorry(409, visit.t("items.exists", id=item_id))
    _put(visit.service, Entry(item_id, fields))
    return visit.to("/item", "item_saved", id=item_id)


def delete(visit: Visit) -> Response:
    """Take an item out of every list, if that was confirmed."""
    item_id = visit.form.get("id", "")
    visit.service.item_fields(item_id)
    if visit.form.get("confirmed") != "yes":
        return visit.sorry(422, visit.t("items.not_confirmed"))
    _put(visit.service, Entry(item_id, deleted=True))
    return visit.to("/items", "item_deleted")


def _put(service: Service, entry: Entry) -> None:
    """On disk when this returns, and in lists a moment later at most."""
    waited(service.put("item", [entry]), WRITE_S)
    with suppress(OverloadError):  # versions go on reading
        waited(service.read_on(), READ_S)


def _checked(form: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Id and fields, within the bounds that the API has. Raises ConfigError."""
    attributes: dict[str, str] = {}
    for number, line in enumerate(form.get("attributes", "").splitlines(), start=1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.strip() and not (name and equals):
            raise ConfigError(f'attributes, line {number}: "{line.strip()}" is not name = value')
        attributes |= {name: value} if value else {}
    texts = {name: form.get(name, "").strip() for name in COLUMNS}
    try:
        body = BulkItem.model_validate({"item_id": form.get("id", "").strip(), "attributes": attributes, **texts})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return body.item_id, attributes | {name: text for name, text in texts.items() if text}


def _parts(service: Service, item_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    rest = {name: text for name, text in fields.items() if name not in COLUMNS}
    return {
        "columns": {name: fields.get(name, "") for name in COLUMNS},
        "attributes": rest,
        "trained": item_id in service.live.model.data.items.ids,
        "rewritten": service.state.item(item_id) is not None,
    }


def _near(visit: Visit, item_id: str) -> tuple[Shown, ...]:
    """What someone who liked only this item would be shown; nothing where no list can be had just now."""
    try:
        return listed(visit, Ask(k=NEAR, history=(item_id,)))[0].items
    except PalateError:
        return ()


def _meant(visit: Visit, words: str) -> tuple[Shown, ...]:
    """What the model finds for words, for those who may ask it for lists."""
    if not visit.may("recommender"):
        return ()
    try:
        return listed(visit, Ask(k=NEAR, text=words, include_seen=True))[0].items
    except PalateError:
        return ()


def _titled(service: Service, words: str) -> list[str]:
    """The ids of items whose title has the words in it, whatever their case, the changed ones first."""
    asked, items, posted = words.casefold(), service.live.model.data.items, service.state.items
    fresh = [one.id for one in posted.values() if not one.deleted and asked in one.fields.get("title", "").casefold()]
    known = [
        name
        for name, title in zip(items.ids.ids, items.title, strict=True)
        if name not in posted and asked in title.casefold()
    ]
    return fresh + known


def _title(service: Service, item_id: str) -> str:
    return service.item_fields(item_id).get("title", "")


def _is_there(service: Service, item_id: str) -> bool:
    try:
        service.item_fields(item_id)
    except UnknownIdError:
        return False
    return True


PAGES = (
    Page("/items", items, "viewer"),
    Page("/item", item, "viewer"),
    Page("/item/new", blank, "operator"),
    Page("/item/save", save, "operator", "POST"),
    Page("/item/delete", delete, "operator", "POST"),
)
