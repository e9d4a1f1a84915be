"""A service whose catalogue is searched by an index: lists, filters, and items that came after training."""

from dataclasses import replace
from time import monotonic

import numpy as np
import pytest

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.encode.hashing import HashingEncoder
from palate.guard.rules import Rules
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.approximate import Approximate
from palate.retrieve.dense import Dense, DenseConfig
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular
from palate.runtime import Runtime

N = 14_000
LETTERS = "abcdefghijklmnopqrst"


@pytest.fixture(scope="module")
def model():
    """Of the index alone; popularity answers where it has nothing to say."""
    rng = np.random.default_rng(0)
    titles = tuple(" ".join(LETTERS[one] * 5 for one in row) for row in rng.integers(0, len(LETTERS), (N, 3)))
    empty = ("",) * N
    items = Catalogue(
        IdMap(tuple(f"i{row}" for row in range(N))), titles, empty, empty, {"half": ("a", "b") * (N // 2)}
    )
    rows = np.arange(40, dtype=np.int32)
    events = Events(rows // 4, rows, rows + 1000.0, np.ones(40, np.float32), np.ones(40, np.bool_))
    data = Dataset(items, People(IdMap(tuple(f"u{row}" for row in range(10))), ("",) * 10), events)
    members = (Dense(DenseConfig(exact_up_to=1000), encoder=HashingEncoder()), Popular())
    retriever = Fused(members=members, weights=(1, 0), wish_weights=(1, 0)).fit(data, Runtime(seed=0))
    return Model(data, Recommender(retriever, guards=(Rules(),)), {"recipe": "dense", "seed": 0})


@pytest.fixture
def searches(monkeypatch):
    """How many requests the index answered."""
    counted = []
    best = Approximate.best
    monkeypatch.setattr(Approximate, "best", lambda self, *asked: counted.append(len(asked[0])) or best(self, *asked))
    return counted


def ids(answer):
    return [one["item_id"] for one in answer.json()["items"]]


def test_search_and_similar_are_answered_by_the_index_as_exactly_as_shown(client, model, searches):
    dense = model.recommender.retriever.members[0]
    exact = replace(dense, config=DenseConfig(exact_up_to=N))
    members = (exact, model.recommender.retriever.members[1])
    plain = replace(model, recommender=Recommender(replace(model.recommender.retriever, members=members)))
    wish = "ddddd aaaaa qqqqq"
    title = dict(zip(model.data.items.ids.ids, model.data.items.title, strict=True))
    found = ids(client("POST", "/v1/search", {"text": wish, "k": 5}))
    expected = plain.recommend(text=wish, k=5)["item_id"].to_list()
    assert [sorted(title[one].split()) for one in found] == [sorted(title[one].split()) for one in expected]
    near = client("POST", "/v1/similar", {"item_id": "i7", "k": 5, "where": {"half": "a"}})
    assert "i7" not in ids(near)
    assert all(int(one[1:]) % 2 == 0 for one in ids(near))
    assert len(ids(near)) == 5
    assert sum(searches) >= 2


def test_a_posted_item_is_found_at_once_and_a_deleted_one_is_gone(client, searches):
    start = monotonic()
    posted = client("PUT", "/v1/items/new", {"title": "a quite singular zeppelin"}).json()
    assert posted["searchable"]
    assert ids(client("POST", "/v1/search", {"text": "a quite singular zeppelin", "k": 3}))[0] == "new"
    assert monotonic() - start < 1.0
    first = ids(client("POST", "/v1/search", {"text": "ddddd aaaaa qqqqq", "k": 3}))[0]
    client("DELETE", f"/v1/items/{first}")
    assert first not in ids(client("POST", "/v1/search", {"text": "ddddd aaaaa qqqqq", "k": 3}))
    assert sum(searches) >= 3
