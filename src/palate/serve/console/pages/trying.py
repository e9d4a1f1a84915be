"""A list to look at: for a user, a sentence or an item, with reasons, and with what the service tells of its making."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from starlette.responses import Response

from palate.errors import ConfigError, PalateError
from palate.serve.asks import Ask, Listing
from palate.serve.console.visit import Page, Visit
from palate.serve.console.waiting import waited
from palate.serve.schemas import MOST_ITEMS
from palate.serve.version import Version

KINDS = ("user", "text", "item")
OFFERED = 200  # ids that the field proposes
PAST = 8  # titles of a user's history
LONGEST_MS = 60_000


@dataclass(frozen=True, slots=True)
class Step:
    """One stage on a list's way. ms: None where it was not measured for this list; left_out: for want of time."""

    name: str
    ms: float | None
    left_out: bool


def trying(visit: Visit) -> Response:
    """The form, and below it the list that it asks for; a list that cannot be had says why in its place."""
    kind = visit.asked("by", "user")
    given = visit.asked("for").strip()
    listing, trouble, steps = None, "", []
    if given or visit.asked("anybody"):
        try:
            listing, version = listed(visit, _ask(visit, kind, given), _number(visit, "deadline_ms", LONGEST_MS))
            steps = _steps(version, listing)
        except PalateError as error:
            trouble = str(error)
    return visit.page(
        "try.html",
        kinds=KINDS,
        kind=kind,
        given=given,
        listing=listing,
        trouble=trouble,
        steps=steps,
        users=_offered(visit),
        past=_past(visit, given) if kind == "user" and visit.may("operator") else [],
    )


def listed(visit: Visit, ask: Ask, deadline_ms: int | None = None) -> tuple[Listing, Version]:
    """A list that is waited for, and the version that made it. Raises OverloadError where none came in time."""
    service = visit.service
    version = service.chosen(ask.user_id if ask.personal else None)
    deadline = monotonic() + (deadline_ms or service.config.deadline_ms) / 1000
    return waited(service.recommend(ask, deadline, version), LONGEST_MS / 1000), version


def _ask(visit: Visit, kind: str, given: str) -> Ask:
    k = _number(visit, "k", MOST_ITEMS) or 10
    if kind == "user" and given:
        personal = not visit.asked("unknown")
        return Ask(k=k, user_id=given, explain=True, personal=personal, include_seen=bool(visit.asked("seen")))
    if kind == "item" and given:
        return Ask(k=k, history=(given,), explain=True)
    return Ask(k=k, text=given, explain=True)


def _number(visit: Visit, name: str, most: int) -> int | None:
    text = visit.asked(name).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise ConfigError(f'{name}: "{text}" is not a whole number from 1 to {most}')
    return int(text)


def _steps(version: Version, listing: Listing) -> list[Step]:
    """What the listing itself tells of its stages; a list that was remembered went through none just now."""
    taken = dict(listing.timings)
    return [
        Step(stage, taken.get(stage), f"{stage}_deadline" in listing.degraded)
        for stage in version.stages(explain=True)
        if stage in taken or f"{stage}_deadline" in listing.degraded
    ]


def _offered(visit: Visit) -> Sequence[str]:
    """Ids of some users, for operators alone: who there is, is personal."""
    return visit.service.live.model.data.users.ids.ids[:OFFERED] if visit.may("operator") else ()


def _past(visit: Visit, user_id: str) -> list[str]:
    """The titles of what someone liked in training and did since, the newest first."""
    service, live = visit.service, visit.service.live
    if service.forgotten(user_id):
        return []
    data = live.model.data
    before: list[str] = []
    if user_id in data.users.ids:
        history = data.queries(data.users.ids.rows([user_id])).histories[0]
        before = [live.title(int(row)) for row in history[-PAST:]]
    since = [one.item_id for one in service.state.events_of(user_id) if live.training.without(one)][-PAST:]
    told = [_title(live, item_id) for item_id in since]
    return [*before, *told][::-1][:PAST]


def _title(live: Version, item_id: str) -> str:
    row = live.annex.row(item_id, live.model.data.items.ids)
    return item_id if row is None else live.title(row)


PAGES = (Page("/try", trying, "recommender"),)
