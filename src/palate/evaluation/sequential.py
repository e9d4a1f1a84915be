"""Outcomes of users in the order in which they came to intervals and p-values that hold however often one looks.

A confidence sequence covers the truth at all sizes of the sample at once in 95 % of experiments, so that it may be
looked at every day and the test stopped whenever one likes. A t-interval does so only at one size fixed beforehand.

Reference: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Time-uniform central limit theory and asymptotic
confidence sequences, Annals of Statistics 52(6): theorem 2.2, Robbins' normal mixture; section 3 for two arms.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from palate.evaluation.compare import Interval
from palate.types import Bools

Doubles = NDArray[np.float64]

ALPHA = 0.05
PLANNED = 1000  # users at which intervals are tightest; five times more or fewer cost some tenth of their width


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What stood after each user (N,): the difference, the bounds around it, and the p-value of no difference.

    Bounds are nan and p is 1 for as long as they cannot be told: nobody in an arm, or no two users that differ.
    """

    mean: Doubles
    low: Doubles
    high: Doubles
    p: Doubles

    @property
    def last(self) -> Interval:
        """What stands after all users."""
        if not len(self.mean):
            return Interval(math.nan, math.nan, math.nan, 0)
        return Interval(float(self.mean[-1]), float(self.low[-1]), float(self.high[-1]), len(self.mean))

    @property
    def last_p(self) -> float:
        """The p-value after all users."""
        return float(self.p[-1]) if len(self.p) else 1.0


def mixture_variance(planned: int, alpha: float = ALPHA) -> float:
    """The square of Robbins' rho, for which intervals are tightest near `planned` users; fix it before the test.

    >>> round(mixture_variance(1000), 6)
    0.008782
    """
    level = -2 * math.log(alpha)
    return (level + math.log(level) + 1) / planned


def half_widths(n: Doubles, planned: int = PLANNED, alpha: float = ALPHA) -> Doubles:
    """Half the width of the sequence after n users (N,), for outcomes of variance 1.

    sqrt(2 (n r + 1) / (n^2 r) * log(sqrt(n r + 1) / alpha)), where r = `mixture_variance(planned)`. Times sqrt(n)
    this is what stands for the 1.96 of an interval that may be looked at once:

    >>> n = np.array([100.0, 1000.0, 10000.0])
    >>> (half_widths(n) * np.sqrt(n)).round(2)
    array([3.76, 3.04, 3.26])
    """
    spread = n * mixture_variance(planned, alpha)
    widths: Doubles = np.sqrt(2 * (spread + 1) / (n * spread) * np.log(np.sqrt(spread + 1) / alpha))
    return widths


def always_valid_p(z: Doubles, n: Doubles, planned: int = PLANNED) -> Doubles:
    """The smallest alpha whose sequence, `planned` as for 95 %, leaves out 0 after n users (N,); at most 1.

    z: (N,) the mean in units of its standard error.

    >>> always_valid_p(np.array([1.96, 3.04, 5.0]), np.array([1000.0, 1000.0, 1000.0])).round(4)
    array([0.5576, 0.0494, 0.    ])
    """
    spread = n * mixture_variance(planned)
    found: Doubles = np.exp(np.minimum(0.0, np.log(spread + 1) / 2 - z**2 * spread / (spread + 1) / 2))
    return found


def difference_path(outcomes: Doubles, treated: Bools, planned: int = PLANNED) -> Path:
    """Mean outcome of treated users less that of the others, after each user (N,) in the order in which they came.

    outcomes: (N,) one number per user that no later event can change, as the users must be independent of each other.

    The difference of means is the mean of influence values whose variance is n (s1² / n1 + s0² / n0), n = n1 + n0,
    where each user is assigned by a coin that does not look at outcomes; to this mean the theorem applies. No arm is
    taken to vary less than all users together: a small arm in which a rare thing has not happened yet would.
    """
    centred = outcomes - outcomes.mean() if len(outcomes) else outcomes  # sums of squares stay exact
    (n1, mean1, own1), (n0, mean0, own0) = [_moments(centred, member) for member in (treated, ~treated)]
    n, _, pooled = _moments(centred, np.ones(len(centred), np.bool_))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.fmax(own1, pooled) / n1 + np.fmax(own0, pooled) / n0
    return _bounded(mean1 - mean0, error, n, planned)


def difference(treated: Doubles, control: Doubles, planned: int = PLANNED) -> tuple[Interval, float]:
    """The last step of the path: mean of `treated` less mean of `control` with its bounds, and the p-value.

    Ten of 200 users bought, against 31 of 200:

    >>> bought = np.repeat([1.0, 0.0], [31, 169])
    >>> found, p = difference(bought, np.repeat([1.0, 0.0], [10, 190]))
    >>> print(found, round(p, 3))
    0.105 [0.001, 0.209] 0.046
    """
    outcomes = np.concatenate([control, treated])
    path = difference_path(outcomes, np.arange(len(outcomes)) >= len(control), planned)
    return path.last, path.last_p


def mean(outcomes: Doubles, planned: int = PLANNED) -> tuple[Interval, float]:
    """The mean of outcomes (N,) with its bounds, and the p-value of a true mean of 0.

    >>> found, p = mean(np.tile([1.0, 1.0, 0.0, -1.0], 50))
    >>> print(found, round(p, 3))
    0.250 [0.055, 0.445] 0.005
    """
    path = mean_path(outcomes, planned)
    return path.last, path.last_p


def mean_path(outcomes: Doubles, planned: int = PLANNED) -> Path:
    """The mean of outcomes (N,) after each user, with bounds; theorem 2.2 as it stands."""
    shift = float(outcomes.mean()) if len(outcomes) else 0.0
    n, centred, variance = _moments(outcomes - shift, np.ones(len(outcomes), np.bool_))
    return _bounded(centred + shift, variance / n, n, planned)


def fixed_difference(treated: Doubles, control: Doubles) -> Interval:
    """The difference of means with Welch's t-interval, which holds for one look at a size fixed beforehand.

    Reference: Welch (1947), Biometrika 34(1-2).

    >>> print(fixed_difference(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 1.0])))
    1.000 [-1.484, 3.484]
    """
    n = np.array([len(treated), len(control)], np.float64)
    if not n.all():
        return Interval(math.nan, math.nan, math.nan, int(n.sum()))
    found = float(treated.mean() - control.mean())
    if n.min() < 2:
        return Interval(found, math.nan, math.nan, int(n.sum()))
    errors = np.array([treated.var(ddof=1), control.var(ddof=1)]) / n  # squares of standard errors
    if not errors.any():
        return Interval(found, math.nan, math.nan, int(n.sum()))
    freedom = errors.sum() ** 2 / (errors**2 / (n - 1)).sum()
    reach = float(stats.t.ppf(1 - ALPHA / 2, freedom) * math.sqrt(errors.sum()))
    return Interval(found, found - reach, found + reach, int(n.sum()))


def _moments(outcomes: Doubles, member: Bools) -> tuple[Doubles, Doubles, Doubles]:
    """(N,) each after every user: how many members there were, their mean and their variance; nan where not told."""
    n = np.cumsum(member, dtype=np.float64)
    total, squares = np.cumsum(outcomes * member), np.cumsum(outcomes**2 * member)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        variance = np.maximum(squares - total * mean, 0.0) / (n - 1)
    return n, mean, np.where(n > 1, variance, np.nan)


def _bounded(mean: Doubles, error: Doubles, n: Doubles, planned: int) -> Path:
    """Means with bounds; error (N,) is the square of the standard error."""
    sure = np.sqrt(np.where(error > 0, error, np.nan))
    reach = sure * np.sqrt(n) * half_widths(n, planned)
    return Path(mean, mean - reach, mean + reach, np.nan_to_num(always_valid_p(mean / sure, n, planned), nan=1.0))
