"""Databases of both kinds, a small shop's model that needs no language model, and a service over them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from palate.data.dataset import Dataset
from palate.encode.hashing import HashingEncoder
from palate.explain.evidence import Evidence
from palate.guard.rules import Rules
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.dense import Dense
from palate.retrieve.ease import EASE
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.serve import keys
from palate.serve.aliases import Aliases
from palate.serve.app import application
from palate.serve.keys import ROLES
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from serve import postgres

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The address of a PostgreSQL."""
    if postgres.programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.cluster() as address:
        yield address


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database: each test runs on both kinds."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'service.db'}"
        return
    found = request.getfixturevalue("cluster")
    yield found
    engine = create_engine(found)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture(scope="session")
def model(board: Dataset) -> Model:
    """Behaviour and texts read by hashing: ready in milliseconds, and new items are found by their texts."""
    members = (Popular(), EASE(), Dense(encoder=HashingEncoder()))
    retriever = Fused(members=members, weights=(0, 1, 0.5), tells=(1, 2)).fit(board, Runtime(seed=0))
    about = {"recipe": "classic", "seed": 0, "newcomers": 10}
    return Model(board, Recommender(retriever, guards=(Rules(),), explainer=Evidence()), about)


@pytest.fixture
def made(tmp_path: Path, model: Model) -> Iterator[Callable[..., Service]]:
    """Services with options as keywords; each is closed when the test ends."""
    with ExitStack() as end:

        def make(folder: Path = tmp_path / "state", **options: Any) -> Service:
            service = Service(ServeConfig(**{"reserve_mb": 0, "deadline_ms": 5000} | options), folder)
            end.callback(service.close)
            service.open_version("first", model)
            service.follow(Aliases(live="first"))
            return service

        yield make


@dataclass(frozen=True)
class Client:
    """A client for each role, all of one service, and one without a key."""

    http: TestClient
    service: Service
    secrets: dict[str, str]

    def __call__(self, method: str, path: str, body: Any = None, *, role: str | None = "admin", **more: Any) -> Any:
        headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {self.secrets[role]}"} if role else {})
        if body is not None:
            more["json"] = body
        return self.http.request(method, path, headers=headers, **more)


@pytest.fixture
def client_of() -> Iterator[Callable[[Service], Client]]:
    """A service to its client, with a key for every role."""
    with ExitStack() as end:

        def make(service: Service) -> Client:
            secrets = {}
            for role in ROLES:
                job = service.writer.submit(lambda connection, role=role: keys.make(connection, f"a {role}", role))
                secrets[role] = job.result()[1]
            service.keys.forget()
            http = end.enter_context(TestClient(application(service), raise_server_exceptions=False))
            return Client(http, service, secrets)

        yield make


@pytest.fixture
def client(made: Callable[..., Service], client_of: Callable[[Service], Client]) -> Client:
    """A client of a service with the usual options."""
    return client_of(made())
