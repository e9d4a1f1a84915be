"""A holdout to slices: the same answers, kept only for some of the users or some of the items.

A metric on a slice sees nan for users with nothing left, so that its mean is over the slice alone. Slices of items
keep the other answers out of the truth: they count neither as hits nor as misses.
"""

import re
from dataclasses import dataclass

import numpy as np

from palate.data.dataset import Dataset
from palate.data.split import Holdout
from palate.types import Bools, Longs, Ragged

_CHINESE = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """Part of a holdout: what it is grouped by, its name, and its truth (Q), empty for users outside it."""

    group: str
    name: str
    truth: Ragged


def slices(holdout: Holdout, train: Dataset) -> tuple[Slice, ...]:
    """Every slice with at least one user.

    history: by the number of liked events the user has at that moment.
    popularity: head are the most liked items that together hold half of train's likes, mid those with the next 30 %,
    tail the rest, items without any included.
    age: "new" items have no train event.
    language: where some of the asked titles are Chinese and some are not.
    """
    by_user = _by_history(holdout.queries().histories.lengths)
    item_classes = {
        "popularity": _by_popularity(train),
        "age": _by_age(train),
        "language": _by_language(train, holdout),
    }
    truth = holdout.truth
    found = [Slice("history", name, truth.where(users[truth.row_of])) for name, users in by_user.items()]
    for group, classes in item_classes.items():
        found += [Slice(group, name, truth.where(items[truth.values])) for name, items in classes.items()]
    return tuple(one for one in found if len(one.truth.values))


def _by_history(lengths: Longs) -> dict[str, Bools]:
    """(Q,) marks per class of users."""
    return {
        "0 events": lengths == 0,
        "1-4 events": (lengths >= 1) & (lengths <= 4),
        "5-19 events": (lengths >= 5) & (lengths <= 19),
        "20+ events": lengths >= 20,
    }


def _by_popularity(train: Dataset) -> dict[str, Bools]:
    """(n_items,) marks per class of items."""
    likes = np.bincount(train.events.item[train.events.liked], minlength=train.n_items)
    order = np.argsort(-likes, kind="stable")
    before = np.empty(train.n_items)  # the share of likes that more popular items hold
    before[order] = (np.cumsum(likes[order]) - likes[order]) / max(likes.sum(), 1)
    head, mid = (before < 0.5) & (likes > 0), (before >= 0.5) & (before < 0.8) & (likes > 0)
    return {"head items": head, "mid items": mid, "tail items": ~head & ~mid}


def _by_age(train: Dataset) -> dict[str, Bools]:
    known = np.bincount(train.events.item, minlength=train.n_items) > 0
    return {"new items": ~known, "known items": known}


def _by_language(train: Dataset, holdout: Holdout) -> dict[str, Bools]:
    chinese = np.array([bool(_CHINESE.search(title)) for title in train.items.title], np.bool_)
    asked = chinese[holdout.truth.values]
    return {"Chinese titles": chinese, "other titles": ~chinese} if asked.any() and not asked.all() else {}
