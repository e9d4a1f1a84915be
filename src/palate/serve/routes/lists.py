"""Lists: recommend, similar, search, score."""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from palate.errors import ConfigError, OverloadError
from palate.serve.asks import Ask, Listing
from palate.serve.interleave import interleaved
from palate.serve.refusals import told
from palate.serve.routes.access import allowed, the_service
from palate.serve.schemas import (
    ItemScore,
    ListAnswer,
    Recommend,
    Score,
    ScoreAnswer,
    Search,
    ShownItem,
    Similar,
)
from palate.serve.service import Service
from palate.serve.version import Version

router = APIRouter(prefix="/v1", tags=["lists"], dependencies=[allowed("recommender")], responses=told(404, 413))
TheService = Annotated[Service, Depends(the_service)]


@router.post("/recommend", response_model=ListAnswer)
async def recommend(body: Recommend, request: Request, service: TheService) -> Response:
    """A list for a user, for words, for a history, or for everybody; with reasons on request."""
    if body.user_id is not None and body.history is not None:
        raise ConfigError("history: is for a stranger; a user has theirs, so leave out user_id or history")
    ask = Ask(
        k=body.k,
        user_id=body.user_id,
        text=body.text.strip(),
        history=tuple(body.history or ()),
        personal=body.personal,
        explain=body.explain,
        include_seen=body.include_seen,
        candidates=None if body.candidates is None else tuple(dict.fromkeys(body.candidates)),
        allow=None if body.allow is None else tuple(body.allow),
        deny=tuple(body.deny),
        where=_where(body.where),
    )
    request_id = request.scope["request_id"]
    if canary := service.beside(ask):
        live, other = await asyncio.gather(
            *(_listed(service, ask, body.deadline_ms, version) for version in (service.live, canary))
        )
        listing = interleaved(live, other, ask, request_id)
    else:
        listing = await _listed(service, ask, body.deadline_ms)
    service.exposed(request_id, ask, listing)
    return _answer(request, listing, timings=body.timings)


@router.post("/similar", response_model=ListAnswer)
async def similar(body: Similar, request: Request, service: TheService) -> Response:
    """What someone who liked only this item would be shown."""
    ask = Ask(k=body.k, history=(body.item_id,), where=_where(body.where))
    return _answer(request, await _listed(service, ask))


@router.post("/search", response_model=ListAnswer)
async def search(body: Search, request: Request, service: TheService) -> Response:
    """Items that fit words, whoever asks."""
    ask = Ask(k=body.k, text=body.text.strip(), where=_where(body.where), include_seen=True)
    return _answer(request, await _listed(service, ask))


@router.post("/score")
async def score(body: Score, service: TheService) -> ScoreAnswer:
    """Scores of some items for one user, in the order of the question."""
    items = tuple(dict.fromkeys(body.items))
    listing = await _listed(service, Ask(k=len(items), user_id=body.user_id, candidates=items))
    found = {one.item_id: one.score for one in listing.items}
    return ScoreAnswer(
        version=listing.version, scores=[ItemScore(item_id=name, score=found[name]) for name in body.items]
    )


async def _listed(
    service: Service, ask: Ask, deadline_ms: int | None = None, version: Version | None = None
) -> Listing:
    """The listing before its deadline. Raises OverloadError where there is none by then."""
    seconds = (deadline_ms or service.config.deadline_ms) / 1000
    future = service.recommend(ask, monotonic() + seconds, version)
    try:
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)
    except TimeoutError:
        service.counters.refused.labels("deadline").inc()
        raise OverloadError("no list came in time; ask again, or give it longer") from None


def _where(given: Mapping[str, str | Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, (value,) if isinstance(value, str) else tuple(value)) for name, value in sorted(given.items()))


def _answer(request: Request, listing: Listing, *, timings: bool = False) -> Response:
    """Written here: FastAPI would check it against its model once more."""
    items = [
        ShownItem(
            rank=rank, item_id=one.item_id, title=one.title, score=one.score, new=one.new, reasons=list(one.reasons)
        )
        for rank, one in enumerate(listing.items, start=1)
    ]
    answer = ListAnswer(
        request_id=request.scope["request_id"],
        version=listing.version,
        basis=listing.basis,
        degraded=list(listing.degraded),
        items=items,
        timings_ms={stage: round(ms, 3) for stage, ms in listing.timings} if timings else None,
    )
    return Response(answer.model_dump_json(), media_type="application/json")
