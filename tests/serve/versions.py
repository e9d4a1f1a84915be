"""Small models with known answers, for tests of what serves them."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.popular import Popular
from palate.retrieve.top import retrieve_in_blocks
from palate.runtime import Runtime

DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class Told:
    """A retriever that was told everything: scores by item id, for each user id, 0 where it was told nothing."""

    items: tuple[str, ...]
    users: tuple[str, ...]
    table: dict
    config: None = None
    constant: float | None = None
    width: int = 0

    reads: ClassVar = frozenset({"history"})

    def fit(self, data, runtime):
        return replace(self, items=data.items.ids.ids, users=data.users.ids.ids)

    def scores(self, queries):
        found = np.zeros((len(queries), len(self.items) + self.width), np.float32)
        found -= np.arange(found.shape[1], dtype=np.float32) / 1000  # the first items first
        for row, user in enumerate(queries.users):
            for item, score in self.table.get(self.users[user], {}).items():
                found[row, self.items.index(item)] = score
        return found if self.constant is None else np.full_like(found, self.constant)

    def retrieve(self, queries, k, among=None):
        return retrieve_in_blocks(self.scores, queries, k, among)


def shop(n_users=40, n_items=30, days=10):
    """Everybody u0, u1, ... has had item i0 on day 0, i1 on day 1 and so on, and on the last day liked an item of their
    own: user n item 10 + n % 20."""
    rows = [(user, day if day < days - 1 else 10 + user % 20, day) for user in range(n_users) for day in range(days)]
    user, item, day = np.array(rows).T
    events = Events(
        user.astype(np.int32),
        item.astype(np.int32),
        1_700_000_000 + DAY * day,
        np.ones(len(rows), np.float32),
        np.ones(len(rows), np.bool_),
    )
    names = tuple(f"i{n}" for n in range(n_items))
    items = Catalogue(IdMap(names), names, ("",) * n_items, ("",) * n_items)
    return Dataset(items, People(IdMap(tuple(f"u{n}" for n in range(n_users))), ("",) * n_users), events)


def until(data, days):
    """The data of the first days."""
    return data.with_events(data.events.time < 1_700_000_000 + DAY * days)


def told(data, right, liked=lambda n: 10 + n % 20, **other):
    """A model over data that puts the item liked on the last day first for the first `right` people, and last but one
    for the others; it was trained on all days but the last."""
    table = {f"u{n}": {f"i{liked(n)}": 1.0 if n < right else -9.0} for n in range(data.n_users)}
    known = until(data, 9)
    return Model(known, Recommender(Told((), (), table, **other).fit(known, Runtime())))


def popular(data, /, **about):
    """A model that can be saved."""
    return Model(data, Recommender(Popular().fit(data, Runtime())), {"recipe": "popular", "seed": 0, **about})
