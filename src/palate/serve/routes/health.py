"""Health, measures, and what answers."""

from importlib.metadata import version as installed
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from palate.serve.refusals import RefusedError, told
from palate.serve.routes.access import allowed, the_service
from palate.serve.schemas import About, Health, Refusal
from palate.serve.service import Service

router = APIRouter(tags=["health"])
TheService = Annotated[Service, Depends(the_service)]


@router.get("/health/live")
async def live() -> Health:
    """Whether the process answers; nothing else is asked."""
    return Health(status="ok")


@router.get("/health/ready", responses={503: {"model": Refusal, "description": "It is starting or stopping."}})
async def ready(request: Request) -> Health:
    """Whether a version is loaded and warm."""
    if not request.app.state.service.ready:
        raise RefusedError(503, "starting", "no version is ready yet", 1.0)
    return Health(status="ok")


@router.get("/metrics", dependencies=[allowed("viewer")], responses=told(), response_class=Response)
async def metrics(service: TheService) -> Response:
    """Counters and latencies in Prometheus' form."""
    service.counters.waiting.labels("lists").set(service.desk.waiting)
    service.counters.waiting.labels("writes").set(service.writer.waiting)
    return Response(service.counters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


@router.get("/v1/version", dependencies=[allowed("viewer")], responses=told())
async def about(service: TheService) -> About:
    """Which software and which version of the model answer."""
    live = service.live
    data = live.model.data
    return About(
        palate=installed("palate"),
        version=live.name,
        items=data.n_items,
        users=data.n_users,
        events_since_training=service.state.count_after(live.training.sequence),
    )


@router.get("/v1/model", dependencies=[allowed("viewer")], responses=told())
async def card(service: TheService) -> dict[str, Any]:
    """What the live version was made of and what was decided while it was trained."""
    return {"version": service.live.name, **service.live.model.about}
