"""The arms of a test: which arm a user is in, and whether as many users are in each as was planned."""

import math
from collections.abc import Mapping

from scipy import stats

from palate.errors import ConfigError

MISMATCH = 0.001  # below this p the numbers of users are not what was planned, and nothing may be concluded


def arm_of(share: float, shares: Mapping[str, float]) -> str:
    """The arm of a user whose stable place in [0, 1) is `share`; arms lie side by side in the order given.

    An arm that is to grow stands first: a larger share then takes users from the next arm and moves no other.

    >>> [arm_of(share, {"new": 0.1, "old": 0.9}) for share in (0.0, 0.0999, 0.1, 0.9999)]
    ['new', 'new', 'old', 'old']
    """
    end = 0.0
    for arm, width in checked(shares).items():
        end += width
        if share < end:
            return arm
    return arm  # of a sum that rounding left just below 1


def checked(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares as they are; raises ConfigError unless two arms or more have positive shares that add up to 1."""
    if len(shares) < 2:
        raise ConfigError(f"shares: {len(shares)} arms; a test has two or more, for example old=0.9,new=0.1")
    for arm, share in shares.items():
        if not (isinstance(share, int | float) and 0 < share < 1):
            raise ConfigError(f"shares: {arm}={share!r} is not between 0 and 1")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise ConfigError(f"shares: add up to {sum(shares.values()):g}, not to 1")
    return dict(shares)


def mismatch_p(users: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Chi-square p that users were put into arms by the planned shares; 1 where there are no users or one arm alone.

    A small one says that users or their logs get lost in one arm, so that arms differ by more than what they show.

    Reference: Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    >>> round(mismatch_p({"a": 1000, "b": 1100}, {"a": 0.5, "b": 0.5}), 4)
    0.0291
    """
    total = sum(users.values())
    if not total or len(shares) < 2:
        return 1.0
    return float(stats.chisquare([users[arm] for arm in shares], [total * share for share in shares.values()]).pvalue)
