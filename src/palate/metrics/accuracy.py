"""Slates and what each user truly wanted, to one accuracy number per user; labelled pairs to AUC.

hit(r) is 1 where the item at rank r = 1..k is in the user's truth, else 0; |truth| counts distinct items.
Padding never hits, and a slate narrower than k misses at the places it lacks. A user with empty truth gets
nan, so that a mean skips them. Ties were settled when the slate was made: only its order counts here.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from palate.errors import ConfigError, ContractError
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Ragged, Slate


@dataclass(frozen=True, slots=True)
class _AtK:
    """What all metrics of the first k places share."""

    k: int
    label: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"{type(self).__name__}.k: {self.k} is below 1")

    @property
    def name(self) -> str:
        return f"{self.label}@{self.k}"


class NDCG(_AtK):
    """Normalised discounted cumulative gain at k, binary gains.

    DCG@k = sum over r of hit(r) / log2(r + 1), divided by the DCG of the best possible list, which puts
    min(k, |truth|) hits first.

    Reference: Järvelin and Kekäläinen (2002), ACM TOIS 20(4).

    >>> slate = Slate(np.array([[7, 8, 9]], np.int32), np.array([[3, 2, 1]], np.float32))
    >>> NDCG(k=3).per_user(slate, Ragged.of([[8]]))
    array([0.63092977], dtype=float32)
    """

    __slots__ = ()
    label = "ndcg"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        hit, wanted = _hits(slate, truth, self.k), _wanted(truth)
        best = np.cumsum(_discount(self.k))[np.minimum(wanted, self.k) - 1]  # where nothing is wanted, not used
        return _of_those(wanted, hit @ _discount(hit.shape[1]) / best)


class HitRate(_AtK):
    """Share of users with at least one hit: 1 where any hit(r) is 1, else 0.

    >>> slate = Slate(np.array([[7, 8], [7, 8]], np.int32), np.array([[2, 1], [2, 1]], np.float32))
    >>> HitRate(k=2).per_user(slate, Ragged.of([[8, 3], [5]]))
    array([1., 0.], dtype=float32)
    """

    __slots__ = ()
    label = "hit_rate"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        return _of_those(_wanted(truth), _hits(slate, truth, self.k).max(axis=1, initial=0.0))


class Recall(_AtK):
    """Share of the wanted items that are shown: sum of hit(r) / |truth|. Below 1 wherever |truth| > k.

    >>> slate = Slate(np.array([[7, 8, 9]], np.int32), np.array([[3, 2, 1]], np.float32))
    >>> Recall(k=3).per_user(slate, Ragged.of([[9, 8, 1, 2]]))
    array([0.5], dtype=float32)
    """

    __slots__ = ()
    label = "recall"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        wanted = _wanted(truth)
        return _of_those(wanted, _hits(slate, truth, self.k).sum(axis=1) / np.maximum(wanted, 1))


class Precision(_AtK):
    """Share of the k places that hit: sum of hit(r) / k, also where the slate is shorter.

    >>> slate = Slate(np.array([[7, 8, 9, 1]], np.int32), np.array([[4, 3, 2, 1]], np.float32))
    >>> Precision(k=4).per_user(slate, Ragged.of([[8]]))
    array([0.25], dtype=float32)
    """

    __slots__ = ()
    label = "precision"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        return _of_those(_wanted(truth), _hits(slate, truth, self.k).sum(axis=1) / self.k)


class MRR(_AtK):
    """Mean reciprocal rank: 1 / r of the first hit among the first k, 0 where there is none.

    Reference: Voorhees (1999), The TREC-8 question answering track report.

    >>> slate = Slate(np.array([[7, 8, 9, 1]], np.int32), np.array([[4, 3, 2, 1]], np.float32))
    >>> MRR(k=4).per_user(slate, Ragged.of([[1, 8]]))
    array([0.5], dtype=float32)
    """

    __slots__ = ()
    label = "mrr"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        hit = _hits(slate, truth, self.k)
        return _of_those(_wanted(truth), (hit / np.arange(1, hit.shape[1] + 1)).max(axis=1, initial=0.0))


class MAP(_AtK):
    """Mean average precision: sum over r of hit(r) * precision@r, divided by min(k, |truth|), so that the
    perfect list gets 1.

    Reference: Manning, Raghavan and Schütze (2008), Introduction to Information Retrieval, section 8.4, which
    divides by |truth|; the two agree where |truth| <= k.

    >>> slate = Slate(np.array([[7, 8, 9]], np.int32), np.array([[3, 2, 1]], np.float32))
    >>> MAP(k=3).per_user(slate, Ragged.of([[7, 9]]))          # (1/1 + 2/3) / 2
    array([0.8333333], dtype=float32)
    """

    __slots__ = ()
    label = "map"

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,)"""
        hit, wanted = _hits(slate, truth, self.k), _wanted(truth)
        precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
        return _of_those(wanted, (hit * precision).sum(axis=1) / np.clip(wanted, 1, self.k))


def auc(labels: Bools, scores: Floats) -> float:
    """Area under the ROC curve of labelled pairs (N,): how often a liked pair outscores a disliked one.

    AUC = (R - P (P + 1) / 2) / (P Q) with P liked, Q disliked and R the sum of the liked pairs' ranks; equal
    scores share their mean rank, so a tie counts half. nan where one of the labels is missing.

    Reference: Hanley and McNeil (1982), Radiology 143(1).

    >>> auc(np.array([True, False, True, False]), np.array([.9, .8, .7, .7], np.float32))
    0.625
    """
    one = np.zeros(len(labels), np.int32)
    return float(user_auc(one, labels, scores)[1][0]) if len(labels) else float("nan")


def user_auc(users: Ints, labels: Bools, scores: Floats) -> tuple[Ints, NDArray[np.float64]]:
    """The AUC of each user's own pairs: (U,) the users in rising order, (U,) nan where a label is missing.

    >>> user_auc(np.array([3, 3, 5], np.int32), np.array([True, False, True]), np.array([1, 1, 1], np.float32))
    (array([3, 5], dtype=int32), array([0.5, nan]))
    """
    named, group = np.unique(users, return_inverse=True)
    order = np.lexsort((scores, group))
    group, labels, scores = group[order], labels[order], scores[order]
    # runs of equal (user, score) share the mean of the ranks they span
    fresh = np.ones(len(group), np.bool_)
    fresh[1:] = (group[1:] != group[:-1]) | (scores[1:] != scores[:-1])
    run = np.cumsum(fresh) - 1
    edges = np.append(np.flatnonzero(fresh), len(group))
    starts = np.searchsorted(group, np.arange(len(named)))
    ranks = ((edges[:-1] + edges[1:] + 1) / 2)[run] - starts[group]  # from 1 within each user

    liked = np.bincount(group, labels, len(named))
    disliked = np.bincount(group, ~labels, len(named))
    above = np.bincount(group, ranks * labels, len(named)) - liked * (liked + 1) / 2
    pairs = liked * disliked
    each: NDArray[np.float64] = np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)
    return named, each


def uauc(users: Ints, labels: Bools, scores: Floats) -> float:
    """Mean of the users' own AUC over users with both labels; nan where nobody has both.

    Reference: Zhu et al. (2017), KDD, Optimized cost per click in Taobao display advertising; here unweighted.

    >>> rows = [(1, True, .9), (1, False, .1), (2, True, .2), (2, False, .4), (3, True, .5)]
    >>> users, labels, scores = map(np.array, zip(*rows))
    >>> uauc(users, labels, scores)
    0.5
    """
    each = user_auc(users, labels, scores)[1]
    told = each[~np.isnan(each)]
    return float(told.mean()) if len(told) else float("nan")


def _hits(slate: Slate, truth: Ragged, k: int) -> NDArray[np.float64]:
    """(B, min(k, K)) 1.0 where the shown item is wanted."""
    if len(slate) != len(truth):
        raise ContractError(f"metric: {len(slate)} lists for {len(truth)} truths; give one truth per list")
    items = slate.items[:, :k].astype(np.int64)
    width = int(max(items.max(initial=0), truth.values.max(initial=0))) + 1
    shown = np.arange(len(slate))[:, None] * width + items  # one number for each (user, item)
    wanted = truth.row_of * width + truth.values
    hits: Bools = np.isin(shown, wanted) & (items != NO_ITEM)
    return hits.astype(np.float64)


def _wanted(truth: Ragged) -> Longs:
    """(B,) the number of distinct items in each truth."""
    width = int(truth.values.max(initial=0)) + 1
    distinct = np.unique(truth.row_of * width + truth.values)
    return np.bincount(distinct // width, minlength=len(truth))


def _discount(k: int) -> NDArray[np.float64]:
    """(k,) 1 / log2(rank + 1)"""
    weights: NDArray[np.float64] = 1.0 / np.log2(np.arange(2, k + 2))
    return weights


def _of_those(wanted: Longs, value: NDArray[np.float64]) -> Floats:
    """(B,) the value, nan where nothing is wanted."""
    return np.where(wanted > 0, value, np.nan).astype(np.float32)
