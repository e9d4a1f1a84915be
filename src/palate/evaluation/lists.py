"""Shown lists to the numbers beside accuracy, per user with intervals and for all lists together."""

import re

import numpy as np
from scipy import sparse

from palate.data.dataset import Catalogue, Dataset, People
from palate.evaluation.compare import Interval, interval
from palate.metrics.beyond import coverage, diversity, exposure, gini, group_gap, novelty, popularity_lift, valid_rate
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Slate

_FEWEST_IN_GROUP = 10  # users a group must have before its mean is compared


def per_user(slate: Slate, queries: Queries, train: Dataset, runtime: Runtime) -> dict[str, Interval]:
    """Novelty (bits), intra-list diversity by the words of tags or titles, popularity lift, valid-item rate."""
    counts = np.bincount(train.events.item, minlength=train.n_items)
    values = {
        "novelty": novelty(slate, counts, train.n_users),
        "diversity": diversity(slate, words(train.items)),
        "popularity lift": popularity_lift(slate, queries.histories, counts),
        "valid items": valid_rate(slate, queries, train.n_items),
    }
    return {name: interval(value, runtime.rng("bootstrap")) for name, value in values.items()}


def together(slate: Slate, train: Dataset, users: Ints, accuracy: Floats) -> dict[str, float]:
    """Catalogue coverage, exposure Gini, and for each attribute of the users the largest gap in accuracy (Q,)."""
    shown = exposure(slate, train.n_items)
    found = {"coverage": coverage(shown), "exposure gini": gini(shown)}
    for name in train.users.attributes:
        rows, groups = _grouped(train.users, name, users)
        if len(set(groups)) > 1:
            found[f"gap by {name}"] = group_gap(accuracy[rows], groups)[0]
    return found


def _grouped(people: People, attribute: str, users: Ints) -> tuple[Ints, list[str]]:
    """The places among `users` whose value is shared by enough of them, and those values."""
    values = [people.attributes[attribute][user].strip() for user in users]
    names, counts = np.unique(values, return_counts=True)
    large = set(names[(counts >= _FEWEST_IN_GROUP) & (names != "")].tolist())
    rows = [row for row, value in enumerate(values) if value in large]
    return np.array(rows, np.int32), [values[row] for row in rows]


def words(items: Catalogue) -> sparse.csr_matrix:
    """(n_items, n_words) 1 where an item's tags, or its title where nothing is tagged, hold the word."""
    texts = items.tags if any(items.tags) else items.title
    rows = [sorted(set(re.findall(r"[^\s,;|/]+", text.lower()))) for text in texts]
    columns = {word: column for column, word in enumerate(sorted({word for row in rows for word in row}))}
    ends = np.cumsum([0, *map(len, rows)])
    found = [columns[word] for row in rows for word in row]
    return sparse.csr_matrix((np.ones(len(found), np.float32), found, ends), (len(items), max(len(columns), 1)))
