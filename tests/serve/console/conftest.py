"""The checkerboard behind a console: a service over a small model, a key of each role, a browser's way to sign in."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from palate.encode.hashing import HashingEncoder
from palate.explain.evidence import Evidence
from palate.guard.rules import Rules
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.dense import Dense
from palate.retrieve.fuse import Fused
from palate.retrieve.neighbours import ItemKNN
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.serve import keys
from palate.serve.app import application
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from serve.console.browsing import Browser


@pytest.fixture(scope="session")
def small_model(board) -> Model:
    members = (Popular(), ItemKNN(), Dense(encoder=HashingEncoder()))
    retriever = Fused(members=members, weights=(0.1, 1, 1)).fit(board, Runtime(seed=0))
    about = {"recipe": "small", "notes": ["liked: everything"]}
    return Model(board, Recommender(retriever, guards=(Rules(),), explainer=Evidence()), about)


@pytest.fixture
def service(small_model, tmp_path) -> Iterator[Service]:
    made = Service(ServeConfig(reserve_mb=0, deadline_ms=5000), tmp_path / "state")
    made.serve(made.open_version("local", small_model))
    yield made
    if made.ready:  # its application closes it
        made.close()


@pytest.fixture
def secrets(service) -> dict[str, str]:
    """By role."""
    made = {role: service.writer.submit(lambda c, role=role: keys.make(c, role, role)).result() for role in keys.ROLES}
    service.keys.forget()
    return {role: secret for role, (_, secret) in made.items()}


@pytest.fixture
def browser(service) -> Iterator[Browser]:
    with TestClient(application(service), base_url="http://127.0.0.1", headers={"accept-language": "en"}) as client:
        yield Browser(client)


@pytest.fixture
def admin(browser, secrets) -> Browser:
    assert browser.sign_in(secrets["admin"]).status_code == 200
    return browser
