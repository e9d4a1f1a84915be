"""Lists of a retriever, or of what people rated, to pairs of texts with labels, from which a ranker learns."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palate.rank.cross import CrossEncoder
from palate.rank.features import ordered
from palate.types import Bools, Floats, Ints, Longs, Queries, Slate


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N pairs, those of a group side by side: a person's pairs where they gave labels, else a list.

    prior: what was known of each pair before, on any scale. labels: 0 or 1, for mse any value.
    middle: labels above it are likes.
    """

    people: Sequence[str]
    items: Sequence[str]
    groups: Ints
    labels: Floats
    prior: Floats
    middle: float = 0.5

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def liked(self) -> Bools:
        """(N,)"""
        return self.labels > self.middle

    def parts(self, *, whole: bool) -> list[Longs]:
        """The pairs by number: one by one, or each group as a whole."""
        rows = np.arange(len(self))
        return np.split(rows, np.flatnonzero(np.diff(self.groups)) + 1 if whole else rows[1:])

    def fingerprint(self) -> str:
        """A hash of everything that can be learned from them."""
        digest = hashlib.sha256("\x1f".join([*self.people, "\x1e", *self.items, str(self.middle)]).encode())
        for part in (self.groups, self.labels, self.prior):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def listed(bare: CrossEncoder, queries: Queries, slate: Slate, labels: Floats, middle: float = 0.5) -> Examples:
    """The candidates of each slate as a group, read as `bare` reads them, with their labels (B, K)."""
    own = ordered(queries, slate)
    people, items, prior = bare.pairs(queries, slate, own)
    groups = np.nonzero(own)[0].astype(np.int32)
    return Examples(people, items, groups, labels[own].astype(np.float32), prior, middle)
