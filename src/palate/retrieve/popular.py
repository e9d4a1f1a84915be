"""Popularity: liked events counted over everybody, old ones less."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.outline import Background, Outline
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Ragged, Slate

DAY = 86_400.0  # seconds


@options
class PopularConfig:
    half_life_days: float = option(90.0, "Age at which a liked event counts half; 0 never ages.", low=0.0)


@dataclass(frozen=True, eq=False)
class Popular:
    """Everybody gets what most people liked.

    score(item) = sum over its liked events of 0.5 ** (age_days / half_life_days), a repeated like counts again.
    Ages run back from the last event in the data, and only where events carry times.

    popularity_: (n_items,)
    """

    config: PopularConfig = PopularConfig()
    popularity_: Floats | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"popularity"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        events = data.events
        weight = np.ones(len(events))
        if self.config.half_life_days and events.clock == "time" and len(events):
            age_days = (events.time.max() - events.time) / DAY
            weight = 0.5 ** (age_days / self.config.half_life_days)
        liked = events.liked
        popularity = np.bincount(events.item[liked], weight[liked], data.n_items)
        return replace(self, popularity_=popularity.astype(np.float32))

    def scores(self, queries: Queries) -> Floats:
        return self.outline(queries).dense()

    def outline(self, queries: Queries) -> Outline:
        """What `scores` gives: the same for every request."""
        nothing = Ragged.empty(len(queries))
        return Outline(self._everybodys, np.ones(len(queries), np.float32), nothing, np.zeros(0, np.float32))

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)

    @cached_property
    def _everybodys(self) -> Background:
        return Background(fitted(self.popularity_, self))
