"""A tiny encoder and short ways to make data and requests."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.types import STRANGER, Queries, Ragged


@dataclass(frozen=True, eq=False)
class WordEncoder:
    """A text is the sum of its words' fixed random directions."""

    dim: int = 32

    def fit(self, texts: Any, runtime: Any) -> "WordEncoder":
        return self

    def encode(self, texts: Sequence[str], *, role: str) -> Any:
        rows = np.array([self._sum(text) for text in texts], np.float32).reshape(-1, self.dim)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    def _sum(self, text: str) -> Any:
        words = text.lower().replace(",", " ").replace(".", " ").split()
        directions = [np.random.default_rng(zlib.crc32(word.encode())).normal(size=self.dim) for word in words]
        return np.sum(directions, axis=0) if words else np.zeros(self.dim)


def catalogue(n: int, *, title: Any = None, tags: Any = None, **attributes: Any) -> Catalogue:
    """Items i0, i1 ... with these columns."""
    empty = ("",) * n
    return Catalogue(IdMap(tuple(f"i{item}" for item in range(n))), title or empty, empty, tags or empty, attributes)


def dataset(
    rows: Sequence[Sequence[int]], n_items: int, *, titles=(), people=(), clock="order", disliked=()
) -> Dataset:
    """User u liked the items rows[u] in this order, except the (user, item) pairs in `disliked`."""
    likes = Ragged.of(rows)
    users = likes.row_of.astype(np.int32)
    pairs = zip(users.tolist(), likes.values.tolist(), strict=True)
    events = Events(
        user=users,
        item=likes.values,
        time=np.concatenate([np.arange(len(row), dtype=np.float64) for row in rows]),
        value=np.ones(len(users), np.float32),
        liked=np.array([pair not in disliked for pair in pairs], np.bool_),
        clock=clock,
    )
    items = catalogue(n_items, title=tuple(titles))
    users_ = People(IdMap(tuple(f"u{user}" for user in range(len(rows)))), tuple(people) or ("",) * len(rows))
    return Dataset(items, users_, events)


def asking(*histories: Sequence[int], wishes: Sequence[str] = (), seen: Any = None, eligible: Any = None) -> Queries:
    """Strangers with these histories (which they have seen) and wishes."""
    n = max(len(histories), len(wishes))
    rows = Ragged.of(list(histories) or [[]] * n)
    had = rows if seen is None else Ragged.of(seen)
    return Queries(np.full(n, STRANGER, np.int32), rows, had, tuple(wishes) or ("",) * n, eligible)
