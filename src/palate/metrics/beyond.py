"""Slates to what accuracy does not see: coverage, novelty, diversity, popularity lift, exposure, gaps, validity.

Places padded with NO_ITEM do not count. A list with nothing to measure gets nan, so that a mean skips it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.types import NO_ITEM, Floats, Longs, Queries, Ragged, Slate

SMOOTHING = 0.01  # share of the history's mix in the list's, so that KL stays finite (Steck 2018)


def exposure(slate: Slate, n_items: int) -> Longs:
    """(n_items,) how often each item is shown.

    >>> exposure(Slate(np.array([[2, 0], [2, -1]], np.int32), np.array([[2, 1], [1, -np.inf]], np.float32)), 4)
    array([1, 0, 2, 0])
    """
    return np.bincount(slate.items[slate.items != NO_ITEM], minlength=n_items).astype(np.int64)


def coverage(shown: Longs) -> float:
    """Catalogue coverage: share of the items with any exposure; 0 for an empty catalogue.

    Reference: Ge, Delgado-Battenfeld and Jannach (2010), RecSys, Beyond accuracy.

    >>> coverage(np.array([1, 0, 2, 0]))
    0.5
    """
    return float((shown > 0).mean()) if len(shown) else 0.0


def gini(shown: Longs) -> float:
    """Gini index of exposure: 0 where every item is shown equally often, (n - 1) / n where one takes all.

    G = sum over j = 1..n of (2 j - n - 1) x_j / (n sum x), x rising. 0 where nothing is shown.

    Reference: Fleder and Hosanagar (2009), Management Science 55(5).

    >>> gini(np.array([0, 0, 0, 8])), gini(np.array([3, 3])), gini(np.array([1, 3]))
    (0.75, 0.0, 0.25)
    """
    n, total = len(shown), int(shown.sum())
    if not total:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * np.sort(shown)).sum() / (n * total))


def novelty(slate: Slate, counts: Longs, n_users: int) -> Floats:
    """(B,) mean self-information of the shown items, in bits.

    I(i) = -log2((c_i + 1) / (n + 1)), c_i of n users having chosen the item; the 1 keeps new items finite.

    Reference: Zhou et al. (2010), PNAS 107(10), surprisal; the smoothing is ours.

    >>> novelty(Slate(np.array([[0, 1]], np.int32), np.array([[2, 1]], np.float32)), np.array([7, 0]), 7)
    array([1.5], dtype=float32)
    """
    bits = -np.log2((counts + 1) / (n_users + 1))
    return _mean_shown(slate, bits)


def diversity(slate: Slate, vectors: Floats | sparse.csr_matrix) -> Floats:
    """(B,) intra-list diversity: mean of 1 - cosine over all pairs of a list.

    vectors: (n_items, dim) dense or sparse, scaled to unit length here; a zero row is at distance 1 from all.
    A list of fewer than two items gets nan.

    Reference: Ziegler et al. (2005), WWW, intra-list similarity, as a mean and as a distance.

    >>> vectors = np.array([[1, 0], [0, 2], [3, 0]], np.float32)
    >>> lists = Slate(np.array([[0, 1, 2], [0, 2, -1]], np.int32), np.array([[3, 2, 1], [2, 1, -np.inf]], np.float32))
    >>> diversity(lists, vectors)          # one pair of three is alike; the only pair is alike
    array([0.6666667, 0.       ], dtype=float32)
    """
    rows = sparse.csr_matrix(vectors, dtype=np.float64)
    squares = np.asarray(rows.multiply(rows).sum(axis=1)).ravel()
    lengths = np.sqrt(squares)
    unit = sparse.diags_array(1 / np.where(lengths > 0, lengths, 1.0)) @ rows
    row, place = np.nonzero(slate.items != NO_ITEM)
    shown = sparse.csr_matrix((np.ones(len(row)), (row, slate.items[row, place])), (len(slate), rows.shape[0]))
    # the cosines of all ordered pairs of a list are |sum of its unit rows|^2 less each row with itself
    added = shown @ unit
    alike = np.asarray(added.multiply(added).sum(axis=1)).ravel() - shown @ (lengths > 0).astype(np.float64)
    n = np.bincount(row, minlength=len(slate))
    pairs = n * (n - 1)
    return np.where(pairs > 0, 1 - alike / np.maximum(pairs, 1), np.nan).astype(np.float32)


def popularity_lift(slate: Slate, histories: Ragged, counts: Longs) -> Floats:
    """(B,) how much more popular the list is than what the user chose before: mean of the shown items'
    counts / mean of the history's counts - 1. Above 0 the list leans to the popular; nan without a history.

    Reference: Abdollahpouri et al. (2020), RecSys, The connection between popularity bias, calibration and
    fairness; here per user instead of per group.

    >>> slate = Slate(np.array([[0, 1]], np.int32), np.array([[2, 1]], np.float32))
    >>> popularity_lift(slate, Ragged.of([[2, 2, 1]]), np.array([20, 10, 4]))          # 15 / 6 - 1
    array([1.5], dtype=float32)
    """
    total = np.bincount(histories.row_of, counts[histories.values], len(histories))
    usual = total / np.maximum(histories.lengths, 1)
    shown = _mean_shown(slate, counts)
    return np.where(usual > 0, shown / np.where(usual > 0, usual, 1) - 1, np.nan).astype(np.float32)


def mixes(rows: Ragged, shares: sparse.csr_matrix) -> sparse.csr_matrix:
    """(B, n_values) the mean share of each value over a row's items, those without any value left out.

    shares: (n_items, n_values) rows that sum to 1, or to 0 where an item has no value.

    >>> mixes(Ragged.of([[0, 1], []]), sparse.csr_matrix(np.array([[1, 0], [0.5, 0.5]]))).toarray()
    array([[0.75, 0.25],
           [0.  , 0.  ]])
    """
    held = sparse.csr_matrix((np.ones(len(rows.values)), rows.values, rows.offsets), (len(rows), shares.shape[0]))
    total = sparse.csr_matrix(held @ shares)
    n = np.asarray(total.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags_array(1 / np.where(n > 0, n, 1.0)) @ total)


def miscalibration(slate: Slate, histories: Ragged, shares: sparse.csr_matrix) -> Floats:
    """(B,) how far a list's mix of values is from the history's: 0 is the same mix, log(100) = 4.6 the most.

    KL(p, q) = sum over values of p log(p / (0.99 q + 0.01 p)), p the history's mix, q the mean share over the shown
    items, where one without values adds nothing. nan where the history has no value, or nothing is shown.

    Reference: Steck (2018), RecSys, Calibrated recommendations, section 3, without weights by rank.

    >>> shares = sparse.csr_matrix(np.eye(2))
    >>> lists = Slate(np.array([[0, 1], [0, -1]], np.int32), np.array([[2, 1], [2, -np.inf]], np.float32))
    >>> miscalibration(lists, Ragged.of([[0, 1], [0, 1]]), shares).round(3)      # -(log(.995) + log(.005)) / 2 - log 2
    array([0.   , 1.959], dtype=float32)
    """
    wanted = sparse.coo_matrix(mixes(histories, shares))
    row, place = np.nonzero(slate.items != NO_ITEM)
    n = np.bincount(row, minlength=len(slate))
    shown = sparse.csr_matrix((1 / n[row], (row, slate.items[row, place])), (len(slate), shares.shape[0])) @ shares
    p, q = wanted.data, np.asarray(shown[wanted.row, wanted.col]).ravel()
    far = np.bincount(wanted.row, p * np.log(p / ((1 - SMOOTHING) * q + SMOOTHING * p)), len(slate))
    told = (n > 0) & (np.bincount(wanted.row, minlength=len(slate)) > 0)
    return np.where(told, far, np.nan).astype(np.float32)


def valid_rate(slate: Slate, queries: Queries, n_items: int) -> Floats:
    """(B,) share of the filled places with an item of the catalogue that is eligible and not yet had.

    >>> slate = Slate(np.array([[0, 9, 1, 2]], np.int32), np.array([[4, 3, 2, 1]], np.float32))
    >>> valid_rate(slate, Queries(np.array([5], np.int32), Ragged.of([[1]]), Ragged.of([[1]]), ("",)), 3)
    array([0.5], dtype=float32)
    """
    items = slate.items
    known = (items >= 0) & (items < n_items)
    width = max(n_items, int(items.max(initial=0)) + 1)
    seen = np.isin(np.arange(len(slate))[:, None] * width + items, queries.seen.row_of * width + queries.seen.values)
    eligible = np.ones(n_items, np.bool_) if queries.eligible is None else queries.eligible
    valid = known & ~seen & eligible[np.where(known, items, 0)]
    filled = (items != NO_ITEM).sum(axis=1)
    return np.where(filled > 0, valid.sum(axis=1) / np.maximum(filled, 1), np.nan).astype(np.float32)


def group_gap(values: Floats, groups: Sequence[str]) -> tuple[float, dict[str, float]]:
    """The largest difference between the means of two groups, and the means; nan values are left out.

    Reference: the gap in performance of Ekstrand et al. (2018), FAT*, All the cool kids.

    >>> gap, means = group_gap(np.array([.2, .4, .1, np.nan], np.float32), ["f", "f", "m", "m"])
    >>> round(gap, 6), [(name, round(mean, 6)) for name, mean in means.items()]
    (0.2, [('f', 0.3), ('m', 0.1)])
    """
    told = ~np.isnan(values)
    names, group = np.unique(np.asarray(groups)[told], return_inverse=True)
    means = np.bincount(group, values[told], len(names)) / np.bincount(group, minlength=len(names))
    return (float(np.ptp(means)) if len(means) else 0.0), dict(zip(names.tolist(), means.tolist(), strict=True))


def _mean_shown(slate: Slate, per_item: Longs | NDArray[np.float64]) -> Floats:
    """(B,) the mean of a number per item over the filled places."""
    real = slate.items != NO_ITEM
    total = np.where(real, per_item[np.maximum(slate.items, 0)], 0).sum(axis=1)
    return np.where(real.any(axis=1), total / np.maximum(real.sum(axis=1), 1), np.nan).astype(np.float32)
