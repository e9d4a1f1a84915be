"""The HTTP service: a Service in, a FastAPI application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from palate.serve.console.follow import Followed
from palate.serve.console.mount import console_routes
from palate.serve.edge import Edge
from palate.serve.lineup import Lineup
from palate.serve.refusals import handled
from palate.serve.routes import catalogue, events, health, keys, lists, people, versions
from palate.serve.schedule import Schedule
from palate.serve.service import Service

DESCRIPTION = """Lists of items for people, texts and histories; events in, and new items, with effect at once.

Every request but those on health carries an API key: `Authorization: Bearer KEY`. Roles: viewer, recommender, reviewer,
operator, admin; each may do what those before it may."""


def application(service: Service, lineup: Lineup | None = None, schedule: Schedule | None = None) -> FastAPI:
    """The routes over a service, which the application closes when it stops.

    lineup: what follows a registry of versions; without one the service's only version stays. schedule: what trains
    anew. Both are closed too.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for one in (schedule, lineup, service):
            if one:
                one.close()

    app = FastAPI(
        title="Palate",
        version=version("palate"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page fetches scripts from the network
        redoc_url=None,
    )
    app.state.service, app.state.lineup, app.state.schedule = service, lineup, schedule
    handled(app)
    for part in (lists, events, catalogue, people, versions, keys, health):
        app.include_router(part.router)
    app.router.routes.append(console_routes(service, Followed(lineup, schedule) if lineup else None))
    app.add_middleware(Edge, service=service)
    return app
