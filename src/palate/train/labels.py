"""A log with ratings to what people said of items last, and what was known of them before."""

from dataclasses import dataclass

import numpy as np

from palate.data.dataset import Dataset
from palate.errors import DataError
from palate.types import NO_ITEM, Bools, Floats, Ints, Queries, Signals, Slate


@dataclass(frozen=True, eq=False)
class Labels:
    """What B people said last of at most M items each.

    rest: the data without these events; queries: the people's requests before them.
    items: (B, M) row numbers, NO_ITEM on the right; values, liked: (B, M) what was said of each.
    """

    rest: Dataset
    queries: Queries
    items: Ints
    values: Floats
    liked: Bools

    def of(self, slate: Slate, loss: str) -> tuple[Floats, float]:
        """(B, K) labels of the same items in the order of a slate, and the middle above which they are likes.

        bce: 1 for liked, else 0. mse: the value, standardised by those of the earlier events.
        """
        if loss == "bce":
            return self._ordered(self.liked.astype(np.float32), slate), 0.5
        values, liked = self.rest.events.value.astype(np.float64), self.rest.events.liked
        mean, spread = values.mean(), values.std()
        least = values[liked].min()
        lower = values[values < least]
        middle = (least + lower.max()) / 2 if len(lower) else mean
        labels = ((self._ordered(self.values, slate) - mean) / spread).astype(np.float32)
        return labels, float((middle - mean) / spread)

    def _ordered(self, values: Floats, slate: Slate) -> Floats:
        return Signals(("",), values[:, :, None]).of(self.items, slate.items).values[:, :, 0]


def latest_labels(data: Dataset, n_people: int, per_person: int, loss: str, rng: np.random.Generator) -> Labels:
    """The latest events of at most `n_people` people in random order, at most half of each one's and `per_person`.

    The latest in time or order; any where events have neither. Of an item the last event counts; left out are items
    that the person had before, and people who liked nothing before. Raises DataError where all say the same.
    """
    events = data.events
    said = events.liked if loss == "bce" else events.value
    if not events.liked.any() or (said == said[0]).all():
        what = "is liked or not liked alike" if loss == "bce" else "has the same value"
        raise DataError(
            f"events: every one {what}, so {loss} has nothing to learn; use the loss listwise, or bring ratings and "
            "say from which value on they are likes"
        )
    order = rng.permutation(len(events)) if events.clock == "none" else np.arange(len(events))
    order = order[np.argsort(events.user[order], kind="stable")]
    counts = np.bincount(events.user, minlength=data.n_users)
    ages = np.repeat(np.cumsum(counts), counts) - 1 - np.arange(len(order))  # 0 is a person's last
    latest = ages < np.minimum(counts // 2, per_person)[events.user[order]]
    people = rng.permutation(np.flatnonzero(counts >= 2))[:n_people]
    asked = order[latest & np.isin(events.user[order], people)]
    rest = data.with_events(~np.isin(np.arange(len(events)), asked))
    pair = events.user.astype(np.int64) * data.n_items + events.item
    last = asked[::-1][np.unique(pair[asked[::-1]], return_index=True)[1]]
    last = last[~np.isin(pair[last], rest.events.user.astype(np.int64) * data.n_items + rest.events.item)]
    rows = [last[events.user[last] == user] for user in people]
    queries, wide = rest.queries(people), max(map(len, rows), default=0)
    kept = [place for place in np.flatnonzero(queries.has_history) if len(rows[place])]
    grid = np.full((len(kept), wide), -1, np.int64)  # event numbers
    for row, place in enumerate(kept):
        grid[row, : len(rows[place])] = rows[place]
    real = grid >= 0
    items = np.where(real, events.item[grid], NO_ITEM).astype(np.int32)
    values = np.where(real, events.value[grid], 0).astype(np.float32)
    return Labels(rest, queries.take(np.array(kept, np.int64)), items, values, real & events.liked[grid])
