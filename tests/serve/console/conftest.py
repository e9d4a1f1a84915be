"""A small shop behind the console: five shelves' worth of items, thirty people, a key for each role."""

from collections.abc import Iterator

import numpy as np
import palate
import pytest
from palate.data.dataset import Dataset
from palate.serve import keys
from palate.serve.app import application
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from starlette.testclient import TestClient

TITLES = [f"{what} number {n}" for n in range(10) for what in ("space ships", "wedding cakes")]


@pytest.fixture(scope="session")
def shop() -> Dataset:
    rng = np.random.default_rng(0)
    items = {"item_id": [f"i{n}" for n in range(20)], "title": TITLES, "colour": ["red", "blue"] * 10}
    pairs = [(user, item) for user in range(30) for item in rng.permutation(np.arange(user % 2, 20, 2))[:6]]
    events = {
        "user_id": [f"u{user}" for user, _ in pairs],
        "item_id": [f"i{item}" for _, item in pairs],
        "time": [1_700_000_000 + 3600 * at for at in range(len(pairs))],
    }
    return palate.read(_frame(events), _frame(items))


@pytest.fixture(scope="session")
def model(shop):
    return palate.fit(shop, "classic", encoder="hashing")


@pytest.fixture
def service(model, tmp_path) -> Iterator[Service]:
    made = Service(ServeConfig(reserve_mb=0, deadline_ms=5000), tmp_path)
    made.serve(made.open_version("local", model))
    yield made
    if made.ready:
        made.close()


@pytest.fixture
def secrets(service) -> dict[str, str]:
    """A key of each role."""
    made = {role: service.writer.submit(lambda c, role=role: keys.make(c, role, role)).result() for role in keys.ROLES}
    service.keys.forget()
    return {role: secret for role, (_, secret) in made.items()}


@pytest.fixture
def client(service) -> Iterator[TestClient]:
    with TestClient(application(service), base_url="http://127.0.0.1", headers={"accept-language": "en"}) as made:
        yield made


def _frame(table):
    import polars

    return polars.DataFrame(table)
