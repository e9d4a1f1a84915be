"""A list of the catalogue and items beside it to one list."""

import numpy as np

from palate.retrieve.dense import Dense
from palate.retrieve.top import fitted
from palate.serve.annex import Annex
from palate.types import Bools, Floats, Ints
from palate.vectors import unit_rows


def merged(
    items: Ints,
    scores: Floats,
    annex: Annex,
    usable: Bools,
    asked: Floats,
    reader: Dense,
    *,
    k: int,
    every: int,
) -> tuple[Ints, Floats, frozenset[int]]:
    """The list with items of the annex in it, its scores still falling, and which rows came in.

    asked: (dim,) what the ask means; usable: (m,) the items of the annex that may be shown.
    every: 0 puts each before the first item whose text is further from what was asked, which is how a wish is answered;
    otherwise the best stands at place `every`, the next at twice that, since of an item that nobody liked yet a text
    tells too little to stand before what behaviour supports.
    An item that was rewritten stands where its new text puts it when a wish is answered, else where behaviour does.
    Where nothing is known of what was asked, all come last. An item that comes in has the score of the one that it
    stands before.

    Returns items, scores and the rows that came in.
    """
    asked = unit_rows(asked[None])[0]
    rows, near = annex.rows[usable], annex.vectors[usable] @ asked
    if every:
        outside = rows >= annex.n_items  # behaviour speaks of the others
        rows, near = rows[outside], near[outside]
    else:
        stay = ~np.isin(items, rows)
        items, scores = items[stay], scores[stay]
    best = np.argsort(-near, kind="stable")[:k]
    rows, near = rows[best], near[best]
    if every:
        at = np.minimum(np.arange(1, len(rows) + 1) * every - 1 - np.arange(len(rows)), len(items))
        at = at[: k // every]
        rows = rows[: len(at)]
    else:
        told = fitted(reader.vectors_, reader)[items] @ asked
        further = told[None, :] < near[:, None]  # (m, K)
        ends = np.pad(further, ((0, 0), (0, 1)), constant_values=True)  # every item stands before the end
        at = ends.argmax(axis=1)
    both = np.insert(items, at, rows).astype(np.int32)
    lower = np.append(scores, scores[-1:] if len(scores) else np.float32(0))[at]
    return both[:k], np.insert(scores, at, lower).astype(np.float32)[:k], frozenset(rows.tolist())
