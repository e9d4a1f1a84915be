"""Request vectors and the vectors of a large catalogue to slates: codes find candidates, exact products order them."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.errors import PalateWarning, StoreError
from palate.retrieve.exact import ROWS, LongestFirst
from palate.retrieve.top import product
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate

CELL = 3  # numbers that one half byte tells
POINTS = 16  # what a half byte can tell
TAUGHT = 16_384  # vectors that the points are chosen by
CODED = 65_536  # vectors coded at once
LEAST, TIMES = 400, 8  # candidates whose products are made: so many, or so many times the list's length
FEW = 16_384  # eligible items up to which all of them are compared
PART = 32  # where a 32nd of the catalogue would have to be candidates, everything is compared


@dataclass(frozen=True, eq=False)
class Codes:
    """Vectors in a twenty-fourth of their size: rotated, and of each CELL numbers the nearest of 16 points.

    Only numbers are saved, of which an index is made in moments: nothing is read by faiss that was not checked here.

    Reference: Jégou, Douze and Schmid (2011), Product quantization for nearest neighbor search, IEEE TPAMI 33(1),
    section 2; André, Kermarrec and Le Scouarnec (2015), Cache locality is not enough, VLDB 9(4), section 4.

    rotation: (dim, width) orthonormal rows, so that every number tells about as much
    points: (width / CELL, POINTS, CELL)
    codes: (n_items, bytes) two half bytes each
    mean, square: (dim,) and (dim, dim) the means of the vectors and of their products with themselves, from which the
        mean and deviation of any request's scores follow
    """

    rotation: Floats
    points: Floats
    codes: NDArray[np.uint8]
    mean: Floats
    square: Floats

    @staticmethod
    def of(vectors: Floats, rng: np.random.Generator) -> "Codes":
        """The codes of a catalogue (n_items, dim), of POINTS items at least."""
        import faiss

        n_items, dim = vectors.shape
        width = -(-dim // CELL) * CELL
        rotation = np.linalg.qr(rng.normal(size=(width, width)))[0][:dim].astype(np.float32)
        quantizer = faiss.ProductQuantizer(width, width // CELL, 4)
        quantizer.cp.min_points_per_centroid = 1
        taught = rng.choice(n_items, min(n_items, TAUGHT), replace=False)
        quantizer.train(product(vectors[taught], rotation))
        blocks = [vectors[start : start + CODED] for start in range(0, n_items, CODED)]
        codes = np.concatenate([quantizer.compute_codes(product(block, rotation)) for block in blocks])
        points = faiss.vector_to_array(quantizer.centroids).reshape(-1, POINTS, CELL)
        square = sum(((block.T @ block).astype(np.float64) for block in blocks), np.zeros((dim, dim))) / n_items
        mean = vectors.mean(axis=0, dtype=np.float64)
        return Codes(rotation, points, codes, mean.astype(np.float32), square.astype(np.float32))

    def index(self, n_items: int, dim: int) -> Any:
        """The index of faiss; raises StoreError where these are not the codes of such a catalogue."""
        import faiss

        n_cells = -(-dim // CELL)
        shapes = [(dim, n_cells * CELL), (n_cells, POINTS, CELL), (n_items, (n_cells + 1) // 2)]
        if [one.shape for one in (self.rotation, self.points, self.codes)] != shapes:
            raise StoreError(f"codes of {len(self.codes)} vectors do not fit {n_items} of {dim}; train the model again")
        plain = faiss.IndexPQ(n_cells * CELL, n_cells, 4, faiss.METRIC_INNER_PRODUCT)
        faiss.copy_array_to_vector(self.points.astype(np.float32).ravel(), plain.pq.centroids)
        faiss.copy_array_to_vector(self.codes.astype(np.uint8).ravel(), plain.codes)
        plain.is_trained, plain.ntotal = True, n_items
        made: Any = faiss.IndexPQFastScan  # its types leave out that it takes an index
        return made(plain)


@dataclass(frozen=True, eq=False)
class Approximate:
    """Lists that may miss an item of the best few, in a fraction of the time; what they hold is in the right order.

    All codes are gone through, so that a request unlike any item is answered as well as others. Exact search answers
    where nothing is known, where candidates are too few or all alike, and where it takes no longer. Each request is
    answered by itself, so that the others change nothing.

    exact: the vectors, unit rows, in the catalogue's order, and the search that stands in
    """

    vectors: Floats
    exact: LongestFirst
    rotation: Floats
    index: Any

    def retrieve(self, asked: Callable[[Queries], Floats], queries: Queries, k: int) -> Slate:
        """(B, min(k, n_items)) as `LongestFirst.retrieve`."""
        blocks = list(queries.blocks(ROWS)) or [queries]
        parts = [self.best(asked(block), block, k) for block in blocks]
        return Slate.stack(parts, parts[0].k)

    def best(self, asked: Floats, queries: Queries, k: int) -> Slate:
        """(B, min(k, n_items)) good eligible items that are not in `queries.seen`; ties go to the lower row."""
        n_items, k = len(self.vectors), min(k, len(self.vectors))
        n_open = n_items if queries.eligible is None else int(np.count_nonzero(queries.eligible))
        if queries.eligible is not None and n_open <= FEW:
            return self._among(np.flatnonzero(queries.eligible), asked, queries, k)
        items = np.full((len(asked), k), NO_ITEM, np.int32)
        scores = np.full((len(asked), k), -np.inf, np.float32)
        wide = max(LEAST, TIMES * k)
        left = []
        for row, (one, seen) in enumerate(zip(asked, queries.seen, strict=True)):
            reach = wide * n_items // max(n_open, 1) + len(seen)
            found = self._candidates(one, reach, seen, queries.eligible)[:wide]
            found.sort()
            near = np.einsum("nd,d->n", self.vectors[found], one)  # the same for equal vectors
            order = np.argsort(-near, kind="stable")[:k]
            if len(order) < k or near[order[-1]] == near.min():
                left.append(row)
            else:
                items[row], scores[row] = found[order], near[order]
        if left:
            slate = self.exact.best(asked[left], queries.take(np.array(left)), k)
            items[left], scores[left] = slate.items, slate.scores
        return Slate(items, scores)

    def _candidates(self, asked: Floats, reach: int, seen: Ints, eligible: Bools | None) -> Longs:
        """Of the `reach` items with the nearest codes those that may be shown, the nearest first.

        None where exact search is to answer.
        """
        if reach * PART > len(self.vectors) or not asked.any():
            return np.zeros(0, np.int64)
        found: Longs = self.index.search(product(asked[None], self.rotation), reach)[1][0]
        shown = (found >= 0) & ~np.isin(found, seen)
        return found[shown if eligible is None else shown & eligible[found]]

    def _among(self, rows: Longs, asked: Floats, queries: Queries, k: int) -> Slate:
        """The best of these rows, rising, by all their products."""
        scores = product(asked, self.vectors[rows].T)
        place = np.searchsorted(rows, queries.seen.values)
        had = np.flatnonzero(np.isin(queries.seen.values, rows))
        scores[queries.seen.row_of[had], place[had]] = -np.inf
        slate = Slate.best(np.tile(rows.astype(np.int32), (len(asked), 1)), scores, k)
        return Slate.stack([slate], k)


def coded(vectors: Floats, exact_up_to: int, rng: np.random.Generator) -> Codes | None:
    """What an index of these vectors is made of; None where they are few, or faiss is not installed."""
    return Codes.of(vectors, rng) if len(vectors) > exact_up_to and _installed() else None


def searched(vectors: Floats, codes: Codes | None, exact_up_to: int) -> LongestFirst | Approximate:
    """The search of a catalogue of this size: exact up to there, by its codes above.

    Without these, or without faiss, exact as well, with a PalateWarning.
    """
    exact = LongestFirst.of(vectors)
    if len(vectors) <= exact_up_to:
        return exact
    if codes is None or not _installed():
        what = f"{len(vectors):,} items are searched one by one, which takes long"
        way = 'pip install "palate[index]"' if not _installed() else "train the model again"
        warnings.warn(f"{what}; for an index: {way}", PalateWarning, stacklevel=2)
        return exact
    return Approximate(vectors, exact, codes.rotation, codes.index(*vectors.shape))


def _installed() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True
