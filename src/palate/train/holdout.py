"""Likes held out of the training data, to choose and to learn by what the fitted parts have not seen."""

from typing import NamedTuple

import numpy as np

from palate.data.dataset import Dataset
from palate.metrics.accuracy import NDCG
from palate.types import Bools, Floats, Ints, Longs, Queries, Ragged, Slate

LEAST_LIKES = 3  # of a person whose last like is held out
ENOUGH = 20  # held-out people needed to decide anything


class Asked(NamedTuple):
    """B requests, and (B,) what was liked next."""

    queries: Queries
    targets: Ints


def hold_out(data: Dataset, n_people: int, rng: np.random.Generator) -> tuple[Dataset, Queries, Ints]:
    """The data without the last like of at most `n_people` people, their requests, and (B,) what was held out.

    The last like in time or order; any like where events have neither. People in random order; left out are those
    with fewer than 3 likes, and those who had the held-out item before.
    """
    events = data.events
    counts, newest = _newest(data, rng)
    people = rng.permutation(np.flatnonzero(counts >= LEAST_LIKES))[:n_people]
    last = newest[people]
    rest = data.with_events(~np.isin(np.arange(len(events)), last))
    queries, targets = rest.queries(people), events.item[last]
    repeated = queries.seen.row_of[queries.seen.values == targets[queries.seen.row_of]]
    fresh = np.setdiff1d(np.arange(len(people)), repeated)
    return rest, queries.take(fresh), targets[fresh]


def pretend_cold(rest: Dataset, share: float, n_people: int, rng: np.random.Generator) -> tuple[Dataset, Bools, Asked]:
    """The data without any event of a random share of the liked items; (n_items,) which these are; and at most
    `n_people` people whose newest like went with them and who have others."""
    liked = np.unique(rest.events.item[rest.events.liked])
    cold = np.zeros(rest.n_items, np.bool_)
    cold[rng.permutation(liked)[: round(share * len(liked))]] = True
    counts, newest = _newest(rest, rng)
    people = np.flatnonzero(counts)
    people = people[cold[rest.events.item[newest[people]]]]
    targets = rest.events.item[newest]
    rest = rest.with_events(~cold[rest.events.item])
    queries = rest.queries(rng.permutation(people))
    queries = queries.take(np.flatnonzero(queries.has_history)[:n_people])
    return rest, cold, Asked(queries, targets[queries.users])


def _newest(data: Dataset, rng: np.random.Generator) -> tuple[Longs, Longs]:
    """(n_users,) how many likes each person has, and which event is the last of them, or any like where events have
    neither time nor order; without meaning where there is none."""
    events = data.events
    likes = np.flatnonzero(events.liked)
    if events.clock == "none":
        likes = rng.permutation(likes)
    likes = likes[np.argsort(events.user[likes], kind="stable")]
    counts = np.bincount(events.user[likes], minlength=data.n_users)
    return counts, likes[np.cumsum(counts) - 1] if len(likes) else np.zeros_like(counts)


def quality(slate: Slate, targets: Ints) -> Floats:
    """(B,) NDCG@10 where each request has one right answer."""
    return NDCG(k=10).per_user(slate, Ragged(targets, np.arange(len(targets) + 1)))
