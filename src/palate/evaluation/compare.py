"""One number per user to intervals and tests: whether a mean, or a difference of means, is more than chance."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palate.metrics.accuracy import auc
from palate.types import Bools, Floats, Ints

RESAMPLES = 1000
FLIPS = 10_000  # the smallest p, 1 / 10,001, must survive Holm's correction for some hundred comparisons
_CELLS = 4_000_000  # random numbers held at once


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its 95 % interval; n users have a value. Bounds are nan where n < 2."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def intervals(
    values: Floats, rng: np.random.Generator, clusters: Ints | None = None, resamples: int = RESAMPLES
) -> tuple[Interval, ...]:
    """The mean of each column of `values` (B, M) with its bootstrap interval; nan values are left out.

    Percentile bootstrap over rows, or over whole clusters (B,) where rows repeat users; all columns see the same
    resamples, so that columns of differences are paired.

    Reference: Efron and Tibshirani (1993), An introduction to the bootstrap, chapter 13; clusters: Field and Welsh
    (2007), JRSS B 69(3).
    """
    told = ~np.isnan(values)
    sums, counts = _by_cluster(np.where(told, values, 0), clusters), _by_cluster(told, clusters)
    n = (counts > 0).sum(axis=0)
    means = []
    for weights in _resamples(len(sums), rng, resamples):  # (R, C)
        with np.errstate(invalid="ignore"):  # a resample without any value of a column is nan
            means.append((weights @ sums) / (weights @ counts))
    spread = np.concatenate(means) if means else np.zeros((0, values.shape[1]))
    found = []
    for column in range(values.shape[1]):
        each = spread[~np.isnan(spread[:, column]), column]
        if not n[column]:
            found.append(Interval(np.nan, np.nan, np.nan, 0))
            continue
        mean = float(sums[:, column].sum() / counts[:, column].sum())
        low, high = np.percentile(each, [2.5, 97.5]) if n[column] > 1 else (np.nan, np.nan)
        found.append(Interval(mean, float(low), float(high), int(n[column])))
    return tuple(found)


def interval(
    values: Floats, rng: np.random.Generator, clusters: Ints | None = None, resamples: int = RESAMPLES
) -> Interval:
    """The mean of `values` (B,) with its bootstrap interval.

    >>> interval(np.array([1, 1, np.nan, 1], np.float32), np.random.default_rng(0))
    Interval(mean=1.0, low=1.0, high=1.0, n=3)
    """
    return intervals(values[:, None], rng, clusters, resamples)[0]


def auc_interval(
    users: Ints,
    labels: Bools,
    scores: Floats,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    less: Floats | None = None,
) -> Interval:
    """The AUC over all labelled pairs (N,) with an interval that resamples users with all their pairs.

    scores: (N,), or (S, N) of several runs, whose AUC is averaged in each resample.
    less: (N,) scores whose AUC is taken away in each resample, so that the interval is one of a paired difference.
    """
    runs = list(np.atleast_2d(scores))
    drawn = np.concatenate(list(_resamples(len(np.unique(users)), rng, resamples, cells=len(users))))  # (R, U)
    spread = np.mean([_auc_spread(users, labels, one, drawn) for one in runs], axis=0)
    mean = float(np.mean([auc(labels, one) for one in runs]))
    if less is not None:
        spread, mean = spread - _auc_spread(users, labels, less, drawn), mean - auc(labels, less)
    n, spread = len(np.unique(users)), spread[~np.isnan(spread)]
    low, high = np.percentile(spread, [2.5, 97.5]) if n > 1 and len(spread) else (np.nan, np.nan)
    return Interval(mean, float(low), float(high), n)


def _auc_spread(users: Ints, labels: Bools, scores: Floats, drawn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) the AUC of each resample, drawn (R, U) saying how often each user is in it; nan where it misses a label."""
    user = np.unique(users, return_inverse=True)[1]
    order = np.argsort(scores, kind="stable")
    user, liked, value = user[order], labels[order], scores[order]
    fresh = np.ones(len(value), np.bool_)
    fresh[1:] = value[1:] != value[:-1]
    starts, run = np.flatnonzero(fresh), np.cumsum(fresh) - 1
    ends = np.append(starts[1:], len(value)) - 1
    found: list[NDArray[np.float64]] = [np.zeros(0)]
    for weights in np.split(drawn, range(0, len(drawn), max(1, _CELLS // max(len(users), 1)))):
        each = weights[:, user]  # (R, N) the weight of each pair
        good, bad = each * liked, each * ~liked
        below = np.cumsum(bad, axis=1)
        tied = np.add.reduceat(bad, starts, axis=1)[:, run] if len(value) else bad
        beaten = below[:, ends][:, run] - tied / 2  # disliked weight below, ties half
        with np.errstate(invalid="ignore"):
            found.append((good * beaten).sum(axis=1) / (good.sum(axis=1) * bad.sum(axis=1)))
    return np.concatenate(found)


def paired_p(differences: Floats, rng: np.random.Generator, clusters: Ints | None = None, flips: int = FLIPS) -> float:
    """Two-sided p that paired differences (B,) have mean 0: sign-flip permutation test, whole clusters flipping.

    p = (1 + flips whose |sum| reaches the observed one) / (1 + flips); 1 where there is nothing to compare.

    Reference: Smucker, Allan and Carterette (2007), CIKM; the 1s: Phipson and Smyth (2010), SAGMB 9(1).
    """
    told = ~np.isnan(differences)
    totals = _by_cluster(np.where(told, differences, 0)[:, None], clusters)[:, 0]
    totals = totals[totals != 0]  # a zero stays zero whatever its sign
    if not len(totals):
        return 1.0
    observed, reached = abs(totals.sum()), 0
    for size in _chunks(flips, len(totals)):
        heads = rng.integers(0, 2, (size, len(totals)), np.uint8).astype(np.float64)
        flipped = 2 * (heads @ totals) - totals.sum()
        reached += int((np.abs(flipped) >= observed * (1 - 1e-9)).sum())
    return (1 + reached) / (1 + flips)


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """p-values corrected for their number: the i-th smallest of m times (m - i + 1), never falling, at most 1.

    Reference: Holm (1979), Scandinavian Journal of Statistics 6(2).

    >>> holm([.01, .04, .03])
    (0.03, 0.06, 0.06)
    """
    order = np.argsort(ps, kind="stable")
    steps = np.asarray(ps, np.float64)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return tuple(corrected.tolist())


def _by_cluster(values: NDArray[np.generic], clusters: Ints | None) -> NDArray[np.float64]:
    """(C, M) the columns summed over the rows of each cluster; the rows themselves where there are none."""
    if clusters is None:
        return values.astype(np.float64)
    names, group = np.unique(clusters, return_inverse=True)
    summed = np.zeros((len(names), values.shape[1]))
    np.add.at(summed, group, values)
    return summed


def _resamples(
    n: int, rng: np.random.Generator, resamples: int, cells: int | None = None
) -> Iterator[NDArray[np.float64]]:
    """(R, n) how often each of n is drawn in each resample, in chunks."""
    for size in _chunks(resamples, max(n, cells or 0)):
        drawn = rng.integers(0, max(n, 1), (size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _chunks(total: int, width: int) -> Iterator[int]:
    size = max(1, _CELLS // max(width, 1))
    return (min(size, total - start) for start in range(0, total, size))
