"""Which events count as liked, where a log holds ratings or weights."""

import numpy as np
import polars as pl

from palate.data.dataset import Events
from palate.errors import DataError
from palate.types import Bools, Floats

MOST_RATINGS = 20  # more distinct values than this are weights, not ratings
SHARE_OF_SCALE = 0.7
LEAST_LIKED = 0.2


def what_is_liked(value: Floats | None, threshold: float | None) -> tuple[Bools | None, str]:
    """(E,) which events are liked (None: all of them), and a sentence on why.

    Without a threshold it is the smallest value at or above 70 % of the way from the lowest to the highest, provided
    that values look like ratings (2 to 20 distinct ones) and at least 20 % of the events reach it.

    >>> import numpy as np
    >>> what_is_liked(np.array([1, 2, 3, 4, 5], np.float32), None)
    (array([False, False, False,  True,  True]), 'liked: value 4 and more, 40% of the events (chosen from the data)')
    """
    if value is None:
        if threshold is not None:
            raise DataError(f"liked={threshold:g}: the events have no value to compare with; leave liked out")
        return None, "liked: every event, there is no value column"
    if not len(value):
        return None, "liked: there are no events"
    if threshold is not None:
        liked = value >= threshold
        if not liked.any():
            raise DataError(f"liked={threshold:g}: no event reaches it; values go up to {value.max():g}")
        return liked, f"liked: value {threshold:g} and more, {liked.mean():.0%} of the events"
    scale = pl.Series(value).unique().sort().to_numpy()
    if len(scale) == 1:
        return None, f"liked: every event, all values are {scale[0]:g}"
    if len(scale) > MOST_RATINGS:
        return None, f"liked: every event, {len(scale)} different values look like weights; set liked to change that"
    best = scale[scale >= scale[0] + SHARE_OF_SCALE * (scale[-1] - scale[0])][0]
    liked = value >= best
    if liked.mean() < LEAST_LIKED:
        return (
            None,
            f"liked: every event, only {liked.mean():.0%} have a value of {best:g} or more; set liked to change that",
        )
    return liked, f"liked: value {best:g} and more, {liked.mean():.0%} of the events (chosen from the data)"


def disliked(events: Events) -> Bools:
    """(E,) events that were not liked, with a value in the lower half of the scale; nothing where there is no scale."""
    value = events.value
    if not len(value) or value.min() == value.max():
        return np.zeros(len(value), np.bool_)
    marks: Bools = ~events.liked & (value < (value.min() + value.max()) / 2)
    return marks
