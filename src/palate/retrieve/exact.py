"""Request vectors and item vectors to slates: the largest products, found without making or keeping all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from palate.retrieve.top import best, kth_largest, product
from palate.types import NO_ITEM, Floats, Ints, Queries, Slate

ROWS = 256  # requests answered at once
TILE = 512  # items they are first compared with; four times as many at once from then on
STEPS = 1024  # two lengths that differ by less than this part of the longest count as one
LOWEST = np.finfo(np.float32).min


@dataclass(frozen=True, eq=False)
class LongestFirst:
    """Item vectors in falling order of length, so that a search can end early.

    A product is at most the product of the two lengths (Cauchy and Schwarz). A request is compared with one tile of
    items after another, and is done when its k-th best so far is above what the longest item left could reach. Where
    all items are about as long as each other every product is made, but never more than a tile of them is kept.

    Reference: Teflioudi and Gemulla (2016), Exact and approximate maximum inner product search with LEMP, ACM TODS
    42(1), section 3.

    vectors: (n_items, dim)
    items: (n_items,) whose they are
    place: (n_items,) where each item stands among them
    lengths: (n_items,) no vector is longer, never rising
    """

    vectors: Floats
    items: Ints
    place: Ints
    lengths: Floats

    @staticmethod
    def of(vectors: Floats) -> "LongestFirst":
        """The vectors of a catalogue (n_items, dim); copied only where their order changes."""
        lengths = np.linalg.norm(vectors, axis=1)
        step = lengths.max(initial=np.float32(1e-30)) / STEPS
        lengths = np.ceil(lengths / step) * step
        items = np.argsort(-lengths, kind="stable").astype(np.int32)
        moved = bool((items[1:] < items[:-1]).any())
        return LongestFirst(
            vectors[items] if moved else vectors, items, np.argsort(items).astype(np.int32), lengths[items]
        )

    def retrieve(self, asked: Callable[[Queries], Floats], queries: Queries, k: int) -> Slate:
        """(B, min(k, n_items)) what `top.retrieve_in_blocks` answers to all products, up to their rounding.

        asked: requests to vectors (B, dim); it sees at most ROWS at a time.
        """
        blocks = list(queries.blocks(ROWS)) or [queries]
        parts = [self.best(asked(block), block, k) for block in blocks]
        return Slate.stack(parts, parts[0].k)

    def best(self, asked: Floats, queries: Queries, k: int) -> Slate:
        """(B, min(k, n_items)) the best eligible items that are not in `queries.seen`; ties go to the lower row.

        asked: (B, dim)
        """
        k = min(k, len(self.items))
        items = np.full((len(asked), k), NO_ITEM, np.int32)
        scores = np.full((len(asked), k), -np.inf, np.float32)
        rounding = 1 + 4 * (asked.shape[1] + 1) * np.finfo(np.float32).eps
        reach = np.linalg.norm(asked, axis=1) * np.float32(rounding)
        seen_row, seen_place = queries.seen.row_of, self.place[queries.seen.values]
        shut = None if queries.eligible is None else ~queries.eligible[self.items]
        for tile in self._tiles(k):
            rows = np.flatnonzero((reach > 0) & (scores[:, -1] <= reach * self.lengths[tile.start]))
            if not len(rows):
                break
            found = product(asked[rows], self.vectors[tile].T)  # (R, T)
            here = np.full(len(asked), -1)
            here[rows] = np.arange(len(rows))
            hidden = (seen_place >= tile.start) & (seen_place < tile.stop) & (here[seen_row] >= 0)
            found[here[seen_row[hidden]], seen_place[hidden] - tile.start] = -np.inf
            if shut is not None:
                found[:, shut[tile]] = -np.inf
            items[rows], scores[rows] = _merged(items[rows], scores[rows], self.items[tile], found)
        if (silent := np.flatnonzero(reach == 0)).size:  # everything ties at 0
            slate = best(np.zeros((len(silent), len(self.items)), np.float32), queries.take(silent), k)
            items[silent], scores[silent] = slate.items, slate.scores
        return Slate(items, scores)

    def _tiles(self, k: int) -> Iterator[slice]:
        start, size = 0, max(TILE, 8 * k)
        while start < len(self.items):
            yield slice(start, min(start + size, len(self.items)))
            start, size = start + size, max(size, 4 * TILE)


def _merged(items: Ints, scores: Floats, others: Ints, found: Floats) -> tuple[Ints, Floats]:
    """The k best (R, k) of what was best so far and what was found for `others` (T,): (R, T), -inf is left out."""
    k, width = items.shape[1], found.shape[1]
    least = scores[:, -1:]
    if width >= k and np.isneginf(least).any():
        least = np.maximum(least, kth_largest(found, k))
    better = np.flatnonzero(found >= np.maximum(least, LOWEST))  # of R x T, row by row
    counts = np.bincount(better // width, minlength=len(found))
    changed, counts = np.flatnonzero(counts), counts[counts > 0]
    new = np.arange(k + counts.max(initial=0)) - k < counts[:, None]
    new[:, :k] = False
    all_items = np.full(new.shape, NO_ITEM, np.int32)
    all_scores = np.full(new.shape, -np.inf, np.float32)
    all_items[:, :k], all_scores[:, :k] = items[changed], scores[changed]
    all_items[new], all_scores[new] = others[better % width], found.reshape(-1)[better]
    order = np.lexsort((all_items, -all_scores))[:, :k]
    items[changed] = np.take_along_axis(all_items, order, axis=1)
    scores[changed] = np.take_along_axis(all_scores, order, axis=1)
    return items, scores
