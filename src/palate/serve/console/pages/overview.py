"""How the service does: traffic, latency, what was left out, how fresh its data is."""

from time import time

from starlette.responses import Response

from palate.serve import events
from palate.serve.console import measures
from palate.serve.console.visit import Page, Visit


def overview(visit: Visit) -> Response:
    """The first page."""
    service, counters = visit.service, visit.service.counters
    live = service.live
    routes, stages = measures.traffic(counters), measures.stages(counters)
    lists = measures.by(counters.lists, "basis")
    degraded = measures.by(counters.degraded, "what")
    last = measures.one(counters.last_event) or max((one.time for one in _newest(visit)), default=0.0)
    return visit.page(
        "overview.html",
        live=live,
        items=live.model.data.n_items,
        users=live.model.data.n_users,
        minutes=counters.pulse.minutes(),
        routes=routes,
        stages=stages,
        slowest=max((one.p95_ms for one in stages), default=0.0),
        asked=sum(one.all for one in routes),
        failed=sum(one.failed for one in routes),
        lists=lists,
        n_lists=sum(lists.values()),
        cached=measures.one(counters.cached, "_total"),
        degraded=degraded,
        n_degraded=sum(degraded.values()),
        refused=measures.by(counters.refused, "why"),
        waiting=service.desk.waiting,
        last_event=last,
        since=service.state.count_after(live.training.sequence),
        new_items=len(live.annex),
        now=time(),
    )


def _newest(visit: Visit) -> list[events.Event]:
    return events.newest(visit.service.engine, 1)


PAGES = (Page("/", overview, "viewer"),)
