"""Events as they arrive: the newest hundred, and those that came since for the script that asks each second."""

from typing import Any

from starlette.responses import Response

from palate.serve import events as logged
from palate.serve.console.visit import Page, Visit

NEWEST = 100
ROWS = "/events/rows"


def events(visit: Visit) -> Response:
    """The page, with what is there now."""
    return visit.page("events.html", **_newest(visit))


def rows(visit: Visit) -> Response:
    """The table's rows alone."""
    return visit.page("events_rows.html", **_newest(visit))


def _newest(visit: Visit) -> dict[str, Any]:
    found = logged.newest(visit.service.engine, NEWEST)
    return {"events": found, "last": found[0].seq if found else 0, "people": visit.may("operator")}


PAGES = (Page("/events", events, "viewer"), Page(ROWS, rows, "viewer"))
