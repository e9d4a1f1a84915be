"""Versions of a model asked the same requests, whatever rows they number people and items by: lists, what is unsound
about scores, and how long an answer takes.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from statistics import median

import numpy as np

from palate.data.dataset import Dataset
from palate.model import Model
from palate.types import NO_ITEM, Queries, Ragged, Slate

_MOST_CONSTANT = 0.5  # share of people with a history who are told nothing


def translated(queries: Queries, data: Dataset, model: Model) -> Queries:
    """Requests in the row numbers of `data`, in those of a model's own data; what it never saw is left out."""
    items = model.data.items.ids.rows(data.items.ids.ids, missing=NO_ITEM)  # (n_items,)
    users = model.data.users.ids.rows(data.users.ids.names(queries.users))

    def own(rows: Ragged) -> Ragged:
        values = items[rows.values]
        return replace(rows, values=values).where(values != NO_ITEM)

    return Queries(users, own(queries.histories), own(queries.seen), queries.wishes)


def shown(model: Model, data: Dataset, queries: Queries, k: int) -> Slate:
    """(B, k) a model's lists, requests and items in the row numbers of `data`; an item that `data` does not have gets
    a number from n_items on."""
    found = model.recommender.recommend(translated(queries, data, model), k).slate
    rows = data.items.ids.rows(model.data.items.ids.ids, missing=NO_ITEM)
    unknown = np.flatnonzero(rows == NO_ITEM)
    rows[unknown] = data.n_items + unknown
    items = np.where(found.items == NO_ITEM, NO_ITEM, rows[found.items]).astype(np.int32)
    return Slate.stack([Slate(items, found.scores)], k)


def missing_items(candidate: Model, live: Model, data: Dataset) -> list[str]:
    """The items of `data` that the live version knows and the candidate does not."""
    return [name for name in data.items.ids.ids if name in live.data.items.ids and name not in candidate.data.items.ids]


def unsound(model: Model, data: Dataset, queries: Queries, k: int) -> list[str]:
    """What is wrong with a model's scores and lists, in sentences; whatever it raises is such a sentence.

    Wrong are scores that are nan or infinite, a row of another width than the catalogue, equal scores for all items
    for most people with a history, infinite scores of shown items.
    """
    try:
        with np.errstate(all="ignore"):
            return _said_of_scores(model, translated(queries, data, model)) or _said_of_lists(model, data, queries, k)
    except Exception as error:  # noqa: BLE001  a bad version may raise anything, and that is the finding
        return [f"Asked for lists, it fails: {type(error).__name__}: {error}."]


def empty_lists(model: Model, data: Dataset, queries: Queries, k: int) -> int:
    """How many of the people who have not had everything yet are shown nothing."""
    slate = shown(model, data, queries, k)
    left = np.array([len(np.unique(seen)) < data.n_items for seen in queries.seen], np.bool_)
    return int((left & (slate.items == NO_ITEM).all(axis=1)).sum())


def latencies(models: Mapping[str, Model], data: Dataset, queries: Queries, k: int) -> dict[str, float]:
    """The median milliseconds of one answer of each model, all asked the same requests in turn, one at a time."""
    asked = {name: translated(queries, data, model) for name, model in models.items()}
    took: dict[str, list[float]] = {name: [] for name in models}
    for row in (0, *range(len(queries))):  # the first request once more, to warm up
        for name, model in models.items():
            start = time.perf_counter()
            model.recommender.recommend(asked[name].take(slice(row, row + 1)), k)
            took[name].append(1000 * (time.perf_counter() - start))
    return {name: median(each[1:]) for name, each in took.items() if each[1:]}


def _said_of_scores(model: Model, queries: Queries) -> list[str]:
    scores = model.recommender.retriever.scores(queries)
    if scores.shape != (wanted := (len(queries), model.data.n_items)):
        return [f"Its scores have the shape {scores.shape}, where its catalogue wants {wanted}: wrong width."]
    if (bad := np.isnan(scores) | np.isposinf(scores)).any():
        return [f"{bad.mean():.1%} of its scores are nan or infinite."]
    told = queries.has_history
    constant = told & (scores.max(axis=1) == scores.min(axis=1))
    if constant.sum() > _MOST_CONSTANT * max(told.sum(), 1):
        return [f"All items have the same score for {constant.sum()} of {told.sum()} people with a history."]
    return []


def _said_of_lists(model: Model, data: Dataset, queries: Queries, k: int) -> list[str]:
    slate = shown(model, data, queries, k)
    bad = ~np.isfinite(slate.scores) & (slate.items != NO_ITEM)
    return [f"{bad.mean():.1%} of the scores in its lists are infinite."] if bad.any() else []
