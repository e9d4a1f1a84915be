"""Two versions to their lists for the same people, side by side, and to how much these lists share."""

from dataclasses import dataclass

import numpy as np

from palate.data.dataset import Dataset
from palate.evaluation.compare import Interval, interval
from palate.model import Model
from palate.runtime import Runtime
from palate.serve.soundness import shown
from palate.types import NO_ITEM, Ints

_ASKED = 500  # people whose lists are compared


@dataclass(frozen=True, slots=True)
class Pair:
    """What one person is shown by version `a` and by version `b`, item ids best first; overlap: share in both."""

    user_id: str
    a: tuple[str, ...]
    b: tuple[str, ...]
    overlap: float


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Some people's lists, and the mean overlap over everybody who was asked, with its 95 % interval."""

    pairs: tuple[Pair, ...]
    overlap: Interval
    k: int


def side_by_side(a: Model, b: Model, *, people: int = 5, k: int = 10, runtime: Runtime | None = None) -> SideBySide:
    """Lists of people that both versions know, drawn by the seed, with the histories that `b` was trained on.

    Overlap: the items that are in both lists, as a share of the longer one; 1 where both are empty.
    """
    runtime = runtime or Runtime()
    data = b.data
    known = np.array([row for row, name in enumerate(data.users.ids.ids) if name in a.data.users.ids], np.int32)
    drawn = runtime.rng("side by side").permutation(known)[:_ASKED]
    queries = data.queries(drawn)
    lists = [shown(model, data, queries, k).items for model in (a, b)]
    overlaps = np.array([_overlap(*both) for both in zip(*lists, strict=True)], np.float32)
    pairs = tuple(
        Pair(data.users.ids.ids[user], _names(of_a, a, data), _names(of_b, b, data), float(overlap))
        for user, of_a, of_b, overlap in zip(drawn[:people], *lists, overlaps, strict=False)
    )
    return SideBySide(pairs, interval(overlaps, runtime.rng("bootstrap")), k)


def _overlap(a: Ints, b: Ints) -> float:
    mine, others = set(a.tolist()) - {NO_ITEM}, set(b.tolist()) - {NO_ITEM}
    longest = max(len(mine), len(others))
    return len(mine & others) / longest if longest else 1.0


def _names(items: Ints, model: Model, data: Dataset) -> tuple[str, ...]:
    """Ids of rows of `data`, and of what only the model has, which `shown` numbers from n_items on."""
    real = [int(item) for item in items if item != NO_ITEM]
    own = model.data.items.ids.ids
    return tuple(data.items.ids.ids[item] if item < data.n_items else own[item - data.n_items] for item in real)
