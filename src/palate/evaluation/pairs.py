"""Labelled pairs of a holdout to AUC: recipes beside the two rules that only count.

A pair is a user and an item of the held-out window, labelled by whether the user liked it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from palate.data.dataset import Events
from palate.data.split import Holdout
from palate.evaluation.compare import auc_interval, interval
from palate.evaluation.ranking import pair_scores
from palate.evaluation.result import PairResult
from palate.metrics.accuracy import user_auc
from palate.pipeline import Recommender
from palate.runtime import Runtime
from palate.types import Bools, Floats, Ints, Ragged


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """N labelled pairs, sorted by user, each once: user, item and liked (N,)."""

    user: Ints
    item: Ints
    liked: Bools

    def __len__(self) -> int:
        return len(self.user)


def labelled_pairs(holdout: Holdout) -> Pairs:
    """The window's pairs with their last label; none where they all have the same label."""
    events = holdout.window.events
    pair = events.user.astype(np.int64) * holdout.window.n_items + events.item
    last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    last = last[: len(last) if len(np.unique(events.liked[last])) == 2 else 0]
    return Pairs(events.user[last], events.item[last], events.liked[last])


def judged(
    pairs: Pairs, recipes: Mapping[str, Floats], rules: Mapping[str, Floats], runtime: Runtime
) -> tuple[PairResult, ...]:
    """Scores (N,) by name to AUC over all pairs, the mean of the users' own AUC, and how far that is above
    that of the best rule, with intervals over users."""
    scores = {**recipes, **rules}
    own = {name: user_auc(pairs.user, pairs.liked, each)[1].astype(np.float32) for name, each in scores.items()}
    means = {name: interval(each, runtime.rng("bootstrap")) for name, each in own.items()}
    best = max(rules, key=lambda name: means[name].mean if means[name].n else 0.0)
    return tuple(
        PairResult(
            name=name,
            is_rule=name in rules,
            auc=auc_interval(pairs.user, pairs.liked, each, runtime.rng("bootstrap")),
            uauc=means[name],
            over_rule=interval(own[name] - own[best], runtime.rng("bootstrap")),
        )
        for name, each in scores.items()
    )


def recommender_scores(recommender: Recommender, pairs: Pairs, holdout: Holdout, runtime: Runtime) -> Floats:
    """(N,) the recommender's own score of each pair."""
    users, counts = np.unique(pairs.user, return_counts=True)
    items = Ragged(pairs.item, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))
    return pair_scores(recommender, holdout.known.queries(users), items, runtime)


def mean_rule(train: Events, pairs: Pairs) -> Floats:
    """(N,) the item's mean value + the user's mean value in train; the overall mean where there is none."""
    return (_means(train.item, train.value, pairs.item) + _means(train.user, train.value, pairs.user)).astype(
        np.float32
    )


def liked_share_rule(known: Events, pairs: Pairs) -> Floats:
    """(N,) the share of the user's own events that were liked; the overall share for strangers."""
    return _means(known.user, known.liked.astype(np.float32), pairs.user).astype(np.float32)


def _means(group: Ints, values: Floats, wanted: Ints) -> Floats:
    """(N,) the mean of the values in each wanted group."""
    size = int(max(group.max(initial=0), wanted.max(initial=0))) + 1
    counts, totals = np.bincount(group, minlength=size), np.bincount(group, values, size)
    means = np.where(counts > 0, totals / np.maximum(counts, 1), totals.sum() / max(counts.sum(), 1))
    return means[wanted].astype(np.float32)
