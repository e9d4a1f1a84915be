"""Held-out likes and an encoder to one number per person: how near the liked item's text is to the person's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from palate.encode.forward import Network
from palate.retrieve.history import history_matrix
from palate.retrieve.top import best
from palate.train.holdout import quality
from palate.types import Floats, Ints, Longs, Queries
from palate.vectors import unit_rows

BATCH_TOKENS = 2048


@dataclass(frozen=True, eq=False)
class Judge:
    """B requests of which the right answers are known.

    targets: (B,); people: (B) the requests' texts, prompt and all, or none where the mean of the last `last` liked
    items' vectors stands for a person; texts: (n_items); among: (M,) what competes.
    """

    queries: Queries
    targets: Ints
    people: tuple[str, ...]
    item_prompt: str
    texts: tuple[str, ...]
    among: Ints
    last: int = 10

    def take(self, rows: slice) -> "Judge":
        """The given requests."""
        return replace(self, queries=self.queries.take(rows), targets=self.targets[rows], people=self.people[rows])

    def quality(self, network: Network) -> Floats:
        """(B,) NDCG@10 by cosine; what a person has had does not compete, and without a text there is no list."""
        told = [bool(text) for text in self.people] if self.people else self.queries.has_history
        said = np.flatnonzero(told)
        found = np.zeros(len(self.targets), np.float32)
        if len(said):
            found[said] = self._found(network, said)
        return found

    def _found(self, network: Network, said: Longs) -> Floats:
        items = self._items(network, self.among)
        scores = np.full((len(said), len(self.texts)), -np.inf, np.float32)
        scores[:, self.among] = self._people(network, said) @ items.T
        return quality(best(scores, self.queries.take(said), 10), self.targets[said])

    def _people(self, network: Network, said: Longs) -> Floats:
        if self.people:
            return network.encode([self.people[row] for row in said], BATCH_TOKENS)
        had = history_matrix(self.queries.take(said).histories, len(self.texts), self.last)
        known = np.unique(had.indices)
        return unit_rows(had[:, known] @ self._items(network, known))

    def _items(self, network: Network, rows: Sequence[int] | Ints) -> Floats:
        return network.encode([self.item_prompt + self.texts[item] for item in rows], BATCH_TOKENS)
