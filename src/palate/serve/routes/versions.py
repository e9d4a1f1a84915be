"""Versions: list, compare, promote, try on some people, go back, train anew."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from palate.serve.keys import Key
from palate.serve.lineup import Lineup
from palate.serve.refusals import RefusedError, told
from palate.serve.routes.access import allowed, in_thread, the_service
from palate.serve.schemas import CanaryBody, Id, Moved, PromoteBody, VersionAnswer, WhyBody
from palate.serve.service import Service

router = APIRouter(prefix="/v1/versions", tags=["versions"])
TheService = Annotated[Service, Depends(the_service)]


async def the_lineup(request: Request) -> Lineup:
    """What follows the registry; refuses where the service has a single model and no registry."""
    lineup: Lineup | None = request.app.state.lineup
    if lineup is None:
        raise RefusedError(409, "no_registry", "this service has one model and no registry of versions")
    return lineup


TheLineup = Annotated[Lineup, Depends(the_lineup)]
Operator = Annotated[Key, allowed("operator")]  # stands first, so that it is asked first
_READ, _MOVE = told(409), told(404, 409, 413)


@router.get("", dependencies=[allowed("viewer")], responses=_READ)
async def versions(lineup: TheLineup) -> list[VersionAnswer]:
    """Every version, the oldest first; files are not checked here, but before a version may answer."""
    found = await in_thread(lambda: lineup.registry.versions(check=False))
    share = lineup.registry.aliases().canary
    return [
        VersionAnswer(
            version=one.id,
            state=one.state,
            share=share.share if share and share.version == one.id else None,
            card=dict(one.card),
        )
        for one in found
    ]


@router.post("/rollback", responses=_MOVE)
async def rollback(key: Operator, body: WhyBody, lineup: TheLineup) -> Moved:
    """Make the previous version live again."""
    return await _moved(lineup, lambda: lineup.registry.rollback(who=key.name, why=body.why))


@router.post("/train", status_code=202, responses=_MOVE)
async def train(_: Operator, request: Request, lineup: TheLineup) -> Moved:
    """Begin to train anew, beside everything else; what comes of it is a version, live if the gate lets it pass."""
    request.app.state.schedule.train()
    return _now(lineup)


@router.post("/canary", responses=_MOVE)
async def canary(key: Operator, body: CanaryBody, lineup: TheLineup) -> Moved:
    """Let a version answer a share of the users, the same ones each time."""
    return await _moved(
        lineup,
        lambda: lineup.registry.canary(body.version, body.share, force=body.force, who=key.name, why=body.why),
    )


@router.delete("/canary", responses=_MOVE)
async def end_canary(key: Operator, lineup: TheLineup) -> Moved:
    """Let the live version answer everybody."""
    return await _moved(lineup, lambda: lineup.registry.end_canary(who=key.name))


@router.post("/{version}/promote", responses=_MOVE)
async def promote(key: Operator, version: Id, body: PromoteBody, lineup: TheLineup) -> Moved:
    """Make a version live; the gate must have let it pass, unless it is forced."""
    return await _moved(lineup, lambda: lineup.registry.promote(version, force=body.force, who=key.name, why=body.why))


async def _moved(lineup: Lineup, move: Any) -> Moved:
    """Move an alias and let the service follow, before the answer."""

    def work() -> None:
        move()
        lineup.look()

    await in_thread(work)
    return _now(lineup)


def _now(lineup: Lineup) -> Moved:
    aliases = lineup.registry.aliases()
    return Moved(
        live=aliases.live, previous=aliases.previous, canary=aliases.canary.version if aliases.canary else None
    )
