"""Weights for several retrievers, learned from likes that were held out: a conditional logit."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.metrics.accuracy import NDCG
from palate.retrieve.scale import standardised, weighted_sum
from palate.retrieve.top import BLOCK, best, retrieve_in_blocks
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Ragged, Slate

LEAST_LIKES = 3  # of a person whose last like is held out
PER_MEMBER = 50  # candidates that each retriever brings
RIDGE = 1e-4  # keeps weights finite where one retriever is never wrong


def hold_out(data: Dataset, n_people: int, rng: np.random.Generator) -> tuple[Dataset, Queries, Ints]:
    """The data without the last like of at most `n_people` people, their requests, and (B,) what was held out.

    The last like in time or order; any like where events have neither. People in random order; left out are those
    with fewer than 3 likes, and those who had the held-out item before.
    """
    events = data.events
    likes = np.flatnonzero(events.liked)
    if events.clock == "none":
        likes = rng.permutation(likes)
    likes = likes[np.argsort(events.user[likes], kind="stable")]
    counts = np.bincount(events.user[likes], minlength=data.n_users)
    people = rng.permutation(np.flatnonzero(counts >= LEAST_LIKES))[:n_people]
    last = likes[np.cumsum(counts)[people] - 1]
    rest = data.with_events(~np.isin(np.arange(len(events)), last))
    queries, targets = rest.queries(people), events.item[last]
    repeated = queries.seen.row_of[queries.seen.values == targets[queries.seen.row_of]]
    fresh = np.setdiff1d(np.arange(len(people)), repeated)
    return rest, queries.take(fresh), targets[fresh]


def learned_weights(
    members: Sequence[Retriever], queries: Queries, targets: Ints, n_items: int
) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """(M,) weights learned from all requests, and the numbers of their check.

    The check is crossed: weights learned from one half are asked for the other half, and the other way round. Where
    the blend's NDCG@10 over both is below that of the best member, that member's weight is 1.
    """
    features, real, rows = _examples(members, queries, targets)
    even = np.arange(len(queries)) % 2 == 0
    blend = np.zeros(len(queries), np.float32)
    for half in (even, ~even):
        weights = conditional_logit(features[~half[rows]], real[~half[rows]])
        slate = retrieve_in_blocks(partial(_blended, members, weights, n_items), queries.take(np.flatnonzero(half)), 10)
        blend[half] = quality(slate, targets[half])
    blended = float(blend.mean())
    alone = tuple(float(quality(member.retrieve(queries, 10), targets).mean()) for member in members)
    passed = blended >= max(alone)
    weights = conditional_logit(features, real) if passed else np.eye(len(members))[int(np.argmax(alone))]
    return weights, {"ndcg@10 blend": blended, "ndcg@10 alone": alone, "passed": passed}


def _blended(members: Sequence[Retriever], weights: NDArray[np.float64], n_items: int, queries: Queries) -> Floats:
    """(B, n_items) the weighted sum with the same weights for every request."""
    return weighted_sum(members, np.tile(weights, (len(queries), 1)), queries, n_items, standardised)


def quality(slate: Slate, targets: Ints) -> Floats:
    """(B,) NDCG@10 where each request has one right answer."""
    return NDCG(k=10).per_user(slate, Ragged(targets, np.arange(len(targets) + 1)))


def _examples(members: Sequence[Retriever], queries: Queries, targets: Ints) -> tuple[Floats, Bools, Longs]:
    """(N, C, M) the z-scores of each request's candidates, the target first, (N, C) which of them are real, and (N,)
    which request each is.

    Candidates are the best unseen items of each member; a request whose target is not among them teaches nothing.
    """
    features, real, taught = [], [], []
    for rows in np.split(np.arange(len(queries)), range(BLOCK, len(queries), BLOCK)):
        block, target = queries.take(rows), targets[rows, None]
        said = [standardised(member.scores(block)) for member in members]
        found = np.hstack([best(scores, block, PER_MEMBER).items for scores in said])
        reached = (found == target).any(axis=1)
        found = np.sort(np.where(found == target, NO_ITEM, found), axis=1)
        found[:, 1:][found[:, 1:] == found[:, :-1]] = NO_ITEM  # brought by two members
        items = np.hstack([target, found])[reached]
        features.append(np.stack([np.take_along_axis(scores[reached], items, axis=1) for scores in said], axis=2))
        real.append(items != NO_ITEM)
        taught.append(rows[reached])
    return np.concatenate(features), np.concatenate(real), np.concatenate(taught)


def conditional_logit(features: Floats, real: Bools) -> NDArray[np.float64]:
    """(M,) weights >= 0 that sum to 1 and make the first candidate of each row likely against the others.

    Minimises the mean of -log softmax(features @ weights)[0] plus a small ridge, before scaling; equal weights
    where nothing helps or there is no row.

    Reference: McFadden (1974), Conditional logit analysis of qualitative choice behavior, section 2.

    features: (N, C, M); real: (N, C)
    """
    start = np.full(features.shape[2], 1 / features.shape[2])
    if not len(features):
        return start

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.where(real, features @ weights, -np.inf)
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        chance /= chance.sum(axis=1, keepdims=True)
        value = -np.log(np.maximum(chance[:, 0], 1e-30)).mean() + RIDGE * weights @ weights
        expected = np.einsum("bc,bcm->m", chance, features) / len(features)
        return value, expected - features[:, 0].mean(axis=0) + 2 * RIDGE * weights

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start)).x
    return found / found.sum() if found.sum() > 0 else start
