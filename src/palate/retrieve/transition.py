"""The transition rule: what people liked next, found by counting."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from scipy import sparse

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.neighbours import answers, followers, nearest
from palate.retrieve.outline import Background, Outline
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Ragged, Slate


@options
class TransitionConfig:
    window: int = option(10, "How many likes later still count as next.", low=1)
    fading: float = option(0.8, "Weight of one more step in between.", low=0.0, high=1.0, tries=(0.6,))
    backward: float = option(1 / 3, "Weight of the step from the later item to the earlier one.", low=0.0, high=1.0)
    damping: float = option(0.3, "Exponent of the popularity of the item left.", low=0.0)
    target_damping: float = option(0.1, "Exponent of the popularity of the item reached.", low=0.0, tries=(0.0, 0.3))
    neighbours: int = option(1000, "Items that each history item speaks for; 0 is all.", low=0)
    last: int = option(20, "History items used, the newest; 0 is all.", low=0)
    decay: float = option(
        0.6, "Weight of a history item relative to the next newer one.", low=0.0, high=1.0,
        tries=(0.4, 0.8, 1.0), asking=True,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Transition:
    """Items that followed the history's items in other people's histories.

    strength(a, b) = (steps(a, b) + backward * steps(b, a)) / (pop(a) ** damping * pop(b) ** target_damping), where
    `steps` sums fading ** (distance - 1) over every place where b follows a within `window` likes and `pop` counts an
    item's likes; score(b) = sum of decay ** age(a) strength(a, b) over the history's items a. Items that the history
    does not speak for follow below all others, the popular ones first. Reads the order of likes, so it knows nothing
    of a log without one.

    Reference: the first-order Markov chain of Rendle, Freudenthaler and Schmidt-Thieme (2010), WWW, section 3, by
    weighted counts over several steps.

    strength_: (n_items, n_items) from history item to scored item, without the diagonal
    popularity_: (n_items,) the likes of each item
    """

    config: TransitionConfig = TransitionConfig()
    strength_: sparse.csr_matrix | None = None
    popularity_: Floats | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        config, histories = self.config, data.histories()
        popularity = np.bincount(histories.values, minlength=data.n_items).astype(np.float32)
        shape = (data.n_items, data.n_items)
        steps = _steps(histories if data.events.clock != "none" else Ragged.empty(0), config, shape)
        both = (steps + np.float32(config.backward) * steps.T).tocoo()
        apart = both.row != both.col
        row, col = both.row[apart], both.col[apart]
        damped = np.maximum(popularity, 1)
        strength = both.data[apart] / (damped[row] ** config.damping * damped[col] ** config.target_damping)
        table = sparse.csr_matrix((strength.astype(np.float32), (row, col)), shape)
        return replace(self, strength_=nearest(table, config.neighbours), popularity_=popularity)

    def scores(self, queries: Queries) -> Floats:
        return self.outline(queries).dense()

    def outline(self, queries: Queries) -> Outline:
        """What `scores` gives, as the items that the history speaks for and all others behind them."""
        table = fitted(self.strength_, self)
        return answers(queries.histories, table, self._followers, self.config.last, self.config.decay)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)

    @cached_property
    def _followers(self) -> Background:
        return followers(fitted(self.popularity_, self))


def _steps(histories: Ragged, config: TransitionConfig, shape: tuple[int, int]) -> sparse.csr_matrix:
    """(n_items, n_items) the weighted steps from one item to another in all histories."""
    total = sparse.csr_matrix((np.zeros(0, np.float32), (np.zeros(0, np.int32), np.zeros(0, np.int32))), shape)
    for distance in range(1, config.window + 1):
        source = np.flatnonzero(histories.ages >= distance)
        weight = np.full(len(source), config.fading ** (distance - 1), np.float32)
        total = total + sparse.csr_matrix(
            (weight, (histories.values[source], histories.values[source + distance])), shape
        )
    return total
