"""Data with a known right answer, shared by all tests."""

import time

import numpy as np
import pytest

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.explain.evidence import Evidence
from palate.guard.rules import Rules
from palate.model import Model
from palate.pipeline import Recommender
from palate.rank.features import FeatureRanker, FeatureRankerConfig
from palate.retrieve.ease import EASE
from palate.retrieve.fuse import Fused
from palate.retrieve.neighbours import ItemKNN
from palate.retrieve.popular import Popular
from palate.retrieve.transition import Transition
from palate.runtime import Runtime

TASTES = ("space ships and distant planets", "wedding cakes and true love")


def checkerboard(n_users: int = 40, n_items: int = 20, per_user: int = 6, seed: int = 0) -> Dataset:
    """Even people like even items (science fiction), odd people odd ones (romance); nobody crosses over.

    Everybody misses some items of their own taste, which are the right answers; the last two items have
    texts but no events. Events are one hour apart.
    """
    rng = np.random.default_rng(seed)
    warm = n_items - 2
    users = np.repeat(np.arange(n_users), per_user)
    items = np.concatenate([rng.permutation(np.arange(user % 2, warm, 2))[:per_user] for user in range(n_users)])
    time = 1_700_000_000 + 3600.0 * rng.permutation(len(users))
    order = np.lexsort((time, users))
    events = Events(
        user=users[order].astype(np.int32),
        item=items[order].astype(np.int32),
        time=time[order],
        value=np.ones(len(users), np.float32),
        liked=np.ones(len(users), np.bool_),
    )
    catalogue = Catalogue(
        ids=IdMap(tuple(f"i{item}" for item in range(n_items))),
        title=tuple(f"{TASTES[item % 2]}, volume {item}" for item in range(n_items)),
        description=("",) * n_items,
        tags=tuple(("scifi", "romance")[item % 2] for item in range(n_items)),
        attributes={"shelf": tuple(("A", "B")[item % 2] for item in range(n_items))},
    )
    people = People(ids=IdMap(tuple(f"u{user}" for user in range(n_users))), text=("",) * n_users)
    return Dataset(catalogue, people, events)


@pytest.fixture(scope="session")
def board() -> Dataset:
    return checkerboard()


@pytest.fixture
def runtime() -> Runtime:
    return Runtime(seed=0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that `perf_counter` tells, which stands still unless a test moves it."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


@pytest.fixture(scope="session")
def with_trees(board: Dataset) -> Model:
    """A model whose lists trees put in order; they learned to put what the sum has second first."""
    members = (Popular(), Transition(), ItemKNN(), EASE())
    retriever = Fused(members=members, weights=(0, 1, 1, 1), tells=(1, 2, 3)).fit(board, Runtime(seed=0))
    queries = board.queries(np.arange(board.n_users))
    own = retriever.retrieve(queries, board.n_items)
    trees = FeatureRanker(FeatureRankerConfig(trees=20, leaves=4, least=5, boosters=2))
    rankers = (trees.learn(queries, own, own.items[:, 1], seed=0),)
    return Model(board, Recommender(retriever, rankers, guards=(Rules(),), explainer=Evidence()))
