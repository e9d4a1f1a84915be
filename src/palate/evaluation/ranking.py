"""A recommender and a holdout to slates, in blocks, so that memory never grows with users x items."""

from dataclasses import replace

import numpy as np

from palate.data.split import Holdout
from palate.errors import ConfigError
from palate.pipeline import Recommender
from palate.runtime import Runtime
from palate.types import NO_ITEM, Floats, Ints, Queries, Ragged, Slate

BLOCK = 1024  # requests answered at once


def answered(recommender: Recommender, holdout: Holdout, k: int, runtime: Runtime) -> Slate:
    """(Q, k) what the recommender shows for a holdout: out of its candidates where it has any, else of everything."""
    if holdout.candidates is None:
        return rank_catalogue(recommender, holdout.queries(), k, runtime)
    return rank_candidates(recommender, holdout.queries(), holdout.candidates, k, runtime)


def rank_catalogue(recommender: Recommender, queries: Queries, k: int, runtime: Runtime, block: int = BLOCK) -> Slate:
    """(Q, k) what the recommender shows out of everything the user has not had."""
    total = -(-len(queries) // block)
    parts = [recommender.recommend(part, k).slate for part in runtime.progress(queries.blocks(block), "ranking", total)]
    return Slate.stack(parts, k)


def rank_candidates(
    recommender: Recommender, queries: Queries, candidates: Ints, k: int, runtime: Runtime, block: int = BLOCK
) -> Slate:
    """(Q, k) the best of each request's own candidates (Q, M), NO_ITEM where a row has fewer."""
    rows = [slice(start, start + block) for start in range(0, len(queries), block)]
    steps = runtime.progress(rows, "ranking candidates", len(rows))
    parts = [recommender.rank(queries.take(each), candidates[each]) for each in steps]
    return Slate.stack(parts, k)


def sampled_candidates(holdout: Holdout, n: int, rng: np.random.Generator, block: int = BLOCK) -> Holdout:
    """The holdout asking only for each user's first answer, and that answer among `n` others drawn at random from
    what the user neither had nor will like, in random order.

    Only to match a published protocol: sampled metrics can order systems differently from full ranking
    (Krichene and Rendle, 2020, KDD).
    """
    n_items, queries = holdout.known.n_items, holdout.queries()
    free = n_items - queries.seen.lengths - holdout.truth.lengths
    if len(free) and n > free.min():
        raise ConfigError(f"candidates: {n} is more than the {free.min()} items that are free for some user")
    first = holdout.truth.where(holdout.truth.ages == np.repeat(holdout.truth.lengths - 1, holdout.truth.lengths))
    parts = [np.zeros((0, n + 1), np.int32)]
    for start in range(0, len(holdout), block):
        rows = slice(start, start + block)
        target, taken = first.take(rows), (queries.seen.take(rows), holdout.truth.take(rows))
        draw = rng.random((len(target), n_items), np.float32)
        for one in taken:
            draw[one.row_of, one.values] = np.inf
        others = np.argpartition(draw, n - 1, axis=1)[:, :n]
        parts.append(rng.permuted(np.hstack([target.values[:, None], others]), axis=1).astype(np.int32))
    return replace(holdout, truth=first, candidates=np.concatenate(parts))


def pair_scores(recommender: Recommender, queries: Queries, items: Ragged, runtime: Runtime) -> Floats:
    """(N,) the score of each of the requests' own items (Q), which must be distinct within a row."""
    width = int(items.lengths.max(initial=0))
    grid = np.full((len(items), width), NO_ITEM, np.int32)
    grid[items.row_of, np.arange(len(items.values)) - np.repeat(items.offsets[:-1], items.lengths)] = items.values
    slate = rank_candidates(recommender, queries, grid, width, runtime)
    row, place = np.nonzero(slate.items != NO_ITEM)
    back = np.lexsort((slate.items[row, place], row))
    scores = np.empty(len(items.values), np.float32)
    scores[np.lexsort((items.values, items.row_of))] = slate.scores[row, place][back]
    return scores
