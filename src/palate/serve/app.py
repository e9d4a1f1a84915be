"""The HTTP service: a Service in, a FastAPI application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from palate.serve.console.mount import console_routes
from palate.serve.edge import Edge
from palate.serve.refusals import handled
from palate.serve.routes import catalogue, events, health, keys, lists, people
from palate.serve.service import Service

DESCRIPTION = """Lists of items for people, texts and histories; events in, and new items, with effect at once.

Every request but those on health carries an API key: `Authorization: Bearer KEY`. Roles: viewer, recommender, reviewer,
operator, admin; each may do what those before it may."""


def application(service: Service) -> FastAPI:
    """The routes over a service, which the application closes when it stops."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Palate",
        version=version("palate"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page fetches scripts from the network
        redoc_url=None,
    )
    app.state.service = service
    handled(app)
    for part in (lists, events, catalogue, people, keys, health):
        app.include_router(part.router)
    app.router.routes.append(console_routes(service))
    app.add_middleware(Edge, service=service)
    return app
