"""Held-out likes and an encoder to one number per person: how near the liked item's text is to the person's."""

from dataclasses import dataclass, replace

import numpy as np

from palate.encode.forward import Network
from palate.retrieve.top import best
from palate.train.holdout import quality
from palate.types import Floats, Ints, Longs, Queries

BATCH_TOKENS = 2048


@dataclass(frozen=True, eq=False)
class Judge:
    """B requests of which the right answers are known.

    targets: (B,); people: (B) the requests' texts, prompt and all; texts: (n_items); among: (M,) what competes.
    """

    queries: Queries
    targets: Ints
    people: tuple[str, ...]
    item_prompt: str
    texts: tuple[str, ...]
    among: Ints

    def take(self, rows: slice) -> "Judge":
        """The given requests."""
        return replace(self, queries=self.queries.take(rows), targets=self.targets[rows], people=self.people[rows])

    def quality(self, network: Network) -> Floats:
        """(B,) NDCG@10 by cosine; what a person has had does not compete, and without a text there is no list."""
        said = np.flatnonzero([bool(text) for text in self.people])
        found = np.zeros(len(self.people), np.float32)
        if len(said):
            found[said] = self._found(network, said)
        return found

    def _found(self, network: Network, said: Longs) -> Floats:
        items = network.encode([self.item_prompt + self.texts[item] for item in self.among], BATCH_TOKENS)
        people = network.encode([self.people[row] for row in said], BATCH_TOKENS)
        scores = np.full((len(said), len(self.texts)), -np.inf, np.float32)
        scores[:, self.among] = people @ items.T
        return quality(best(scores, self.queries.take(said), 10), self.targets[said])
