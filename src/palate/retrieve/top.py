"""Scores over the whole catalogue to slates, in blocks of requests so that memory stays bounded."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from palate.errors import NotFittedError
from palate.types import Bools, Floats, Ints, Longs, Queries, Slate

T = TypeVar("T")

BLOCK = 128  # requests scored at once
CELLS = 1 << 21  # scores gone through at once, 8 MB: larger arrays are fetched anew from the system every time
GROUPS = 8  # per place of the list, when the k-th largest is bounded from below


def retrieve_in_blocks(
    scores: Callable[[Queries], Floats], queries: Queries, k: int, among: Ints | None = None
) -> Slate:
    """(B, min(k, n_items)) the best items for any number of requests; `scores` sees at most BLOCK at a time."""
    return in_blocks(lambda block, k, among: chosen(scores(block), block, k, among), queries, k, among)


def in_blocks(
    slate: Callable[[Queries, int, Ints | None], Slate], queries: Queries, k: int, among: Ints | None = None
) -> Slate:
    """One slate of many, made of at most BLOCK requests at a time."""
    starts = range(0, max(len(queries), 1), BLOCK)
    blocks = [slice(start, start + BLOCK) for start in starts]
    parts = [slate(queries.take(rows), k, None if among is None else among[rows]) for rows in blocks]
    return Slate.stack(parts, parts[0].k)


def chosen(scores: Floats, queries: Queries, k: int, among: Ints | None) -> Slate:
    """The best of the catalogue, or of the given candidates (B, M); scores (B, n_items)."""
    if among is None:
        return best(scores, queries, k)
    return Slate.best(among, np.take_along_axis(scores, np.maximum(among, 0), axis=1), k)


def best(scores: Floats, queries: Queries, k: int) -> Slate:
    """(B, min(k, n_items)) the best eligible items that are not in `queries.seen`; ties go to the lower row.

    scores: (B, n_items). An item scored -inf is left out.
    """
    k = min(k, scores.shape[1])
    parts = [_best(scores[rows], queries.take(rows), k) for rows in few_rows(*scores.shape)]
    return Slate.stack(parts, k)


def few_rows(n_rows: int, width: int) -> list[slice]:
    """The rows of (n_rows, width) in runs of at most CELLS numbers, or of one row."""
    step = max(1, CELLS // max(1, width))
    return [slice(start, start + step) for start in range(0, n_rows, step)]


def largest(scores: Floats, k: int) -> Bools:
    """(B, n_items) marks the min(k, n_items) largest of each row; ties go to the lower row number."""
    if k >= scores.shape[1]:
        return np.ones(scores.shape, np.bool_)
    least = kth_largest(scores, k)
    chosen = scores >= least
    crowded = np.flatnonzero(_counts(np.flatnonzero(chosen), chosen.shape) > k)
    tied = scores[crowded] == least[crowded]
    room = k - (chosen[crowded] & ~tied).sum(axis=1, keepdims=True)
    chosen[crowded] &= ~tied | (np.cumsum(tied, axis=1) <= room)
    return chosen


def kth_largest(scores: Floats, k: int) -> Floats:
    """(B, 1) the k-th largest of each row, k at most n_items.

    Columns are dealt into groups; the k-th largest of the groups' maxima is no larger than the k-th largest of all,
    and few scores reach it, so that only these are sorted.
    """
    n_items = scores.shape[1]
    deep = n_items // (GROUPS * k)  # columns in a group
    if deep < 4:
        return _kth(scores, k)
    groups = scores[:, : deep * GROUPS * k].reshape(len(scores), deep, GROUPS * k)
    reaching = scores >= _kth(groups.max(axis=1), k)
    if np.count_nonzero(reaching) > reaching.size // GROUPS:  # many equal scores
        return _kth(scores, k)
    flat = np.flatnonzero(reaching)
    counts = _counts(flat, scores.shape)
    left = np.full((len(scores), int(counts.max(initial=k))), -np.inf, np.float32)
    left[np.arange(left.shape[1]) < counts[:, None]] = scores.reshape(-1)[flat]
    return _kth(left, k)


def product(rows: Floats, matrix: Floats) -> Floats:
    """(B, N) rows (B, dim) times matrix (dim, N), a single row with the same bits as among others."""
    if len(rows) == 1:  # BLAS has another way for a vector, which sums in another order
        return product(np.repeat(rows, 2, axis=0), matrix)[:1]
    result: Floats = rows @ matrix
    return result


def fitted(value: T | None, stage: object) -> T:
    """The fitted value; raises NotFittedError where there is none yet."""
    if value is None:
        raise NotFittedError(f"{type(stage).__name__}: asked before it was fitted; call fit(data, runtime) first")
    return value


def _best(scores: Floats, queries: Queries, k: int) -> Slate:
    allowed = scores.astype(np.float32)  # a copy
    allowed[queries.seen.row_of, queries.seen.values] = -np.inf
    if queries.eligible is not None:
        allowed[:, ~queries.eligible] = -np.inf
    n_rows, n_items = allowed.shape
    items = (np.flatnonzero(largest(allowed, k)) % n_items).reshape(n_rows, k).astype(np.int32)
    return Slate.best(items, np.take_along_axis(allowed, items, axis=1), k)


def _counts(flat: Longs, shape: tuple[int, ...]) -> Longs:
    """(B,) how many of the flat places of an array (B, n_items) are in each row; much faster than counting marks."""
    return np.bincount(flat // shape[1], minlength=shape[0])


def _kth(scores: Floats, k: int) -> Floats:
    """(B, 1) the k-th largest; negated, because numpy selects from the far end twenty times slower among equals."""
    least: Floats = -np.partition(-scores, k - 1, axis=1)[:, k - 1, None]
    return least
