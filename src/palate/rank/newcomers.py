"""A slate to the same items with some places kept for items that nobody has liked yet."""

from dataclasses import dataclass

import numpy as np

from palate.rank.features import ordered
from palate.types import Bools, Queries, Slate


@dataclass(frozen=True, eq=False)
class Newcomers:
    """At least n newcomers among the first n * `every` places of a person with a history, as far as the slate has them.

    A list by expected liking alone never shows what nobody has liked, so that nobody can like it. The best newcomer
    moves up to place `every` unless it stands higher already, the second to place 2 * `every`, and so on; all else
    keeps its order. Requests with a wish keep theirs, since a wish finds new items by their texts. Scores belong to
    places afterwards, as after `Diversify`.

    cold: (n_items,) marks the newcomers
    """

    every: int
    cold: Bools

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        new = self.cold[slate.items] & ordered(queries, slate)
        due = np.cumsum(new, axis=1) * self.every - 1
        row, place = np.nonzero(new)
        taken = np.zeros_like(new)
        taken[row, np.minimum(place, due[new])] = True
        items = np.empty_like(slate.items)
        items[taken], items[~taken] = slate.items[new], slate.items[~new]
        return Slate(items, slate.scores)
