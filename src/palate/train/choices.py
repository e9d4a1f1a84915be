"""What people liked, each beside items they might have taken instead: what weights are learned from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from palate.contracts import Retriever
from palate.retrieve.scale import standardised
from palate.retrieve.top import BLOCK, best
from palate.train.holdout import ENOUGH, quality
from palate.train.logit import Weights, conditional_logit
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate

PER_MEMBER = 50  # candidates that each retriever brings to learn weights from
PER_MEMBER_COLD = 10  # of these, at least, among the items that play cold ones
ANYWHERE = 49  # candidates of a list from outside, beside the liked one


@dataclass(frozen=True, eq=False)
class Choices:
    """What a conditional logit learns from.

    features: (N, C, M) the z-scores of each request's candidates, the target first; real, cold: (N, C) which of them
    are, and which play cold items; rows: (N,) which request each is
    """

    features: Floats
    real: Bools
    cold: Bools
    rows: Longs

    def weights(self, requests: Longs | None = None) -> Weights:
        """Learned from these requests, or from all; with too few cold answers none of their own for cold items."""
        of = np.ones(len(self.rows), np.bool_) if requests is None else np.isin(self.rows, requests)
        cold = self.cold[of]
        if np.count_nonzero(cold[:, 0]) < ENOUGH:
            cold = np.zeros_like(cold)
        return conditional_logit(self.features[of], self.real[of], cold)


def from_catalogue(
    members: Sequence[Retriever], queries: Queries, targets: Ints, cold: Bools
) -> tuple[Choices, tuple[float, ...]]:
    """Choices, and the NDCG@10 of each member alone.

    Candidates are the best unseen items of each member, and its best cold ones; a request whose target is not among
    them teaches nothing.
    """
    parts, alone = [], []
    few = np.flatnonzero(cold).astype(np.int32)
    for rows, said in _said(members, queries):
        slates = [best(scores, queries.take(rows), PER_MEMBER) for scores in said]
        alone.append(np.stack([quality(slate.top(10), targets[rows]) for slate in slates]))
        apart = [Slate.best(np.tile(few, (len(rows), 1)), scores[:, few], PER_MEMBER_COLD) for scores in said]
        found = np.hstack([slate.items for slate in (*slates, *apart)])
        reached = (found == targets[rows, None]).any(axis=1)
        rows, said = rows[reached], [scores[reached] for scores in said]
        parts.append(_choices(said, targets, _others(found[reached], targets[rows]), cold, rows))
    return _joined(parts), tuple(np.concatenate(alone, axis=1).mean(axis=1).tolist())


def from_lists(members: Sequence[Retriever], queries: Queries, targets: Ints, others: Ints, cold: Bools) -> Choices:
    """Choices between each target and the others (B, C) of a list given from outside."""
    return _joined([_choices(said, targets, others[rows], cold, rows) for rows, said in _said(members, queries)])


def anywhere(queries: Queries, targets: Ints, cold: Bools, rng: np.random.Generator) -> Ints:
    """(B, C) unseen items from anywhere in the catalogue, and from those that play cold ones, beside the targets; each
    once, else NO_ITEM."""
    few = np.flatnonzero(cold)
    drawn = [rng.integers(len(cold), size=(len(queries), ANYWHERE))]
    drawn += [rng.choice(few, (len(queries), PER_MEMBER_COLD))] if len(few) else []
    items = np.hstack(drawn).astype(np.int32)
    seen = np.stack([queries.seen.row_of, queries.seen.values]).astype(np.int64)
    place = np.arange(len(queries))[:, None] * len(cold) + items
    return _others(np.where(np.isin(place, seen[0] * len(cold) + seen[1]), NO_ITEM, items), targets)


def _others(items: Ints, targets: Ints) -> Ints:
    """(B, C) the items that are not the request's target, each once, else NO_ITEM."""
    items = np.sort(np.where(items == targets[:, None], NO_ITEM, items), axis=1)
    items[:, 1:][items[:, 1:] == items[:, :-1]] = NO_ITEM
    return items


def _said(members: Sequence[Retriever], queries: Queries) -> Iterator[tuple[Longs, list[Floats]]]:
    """Requests by number, a block at a time, with the z-scores (B, n_items) of each member."""
    for rows in np.split(np.arange(len(queries)), range(BLOCK, len(queries), BLOCK)):
        yield rows, [standardised(member.scores(queries.take(rows))) for member in members]


def _choices(said: Sequence[Floats], targets: Ints, others: Ints, cold: Bools, rows: Longs) -> Choices:
    """The targets of these requests, each beside the others (B, C), NO_ITEM where there are fewer."""
    items = np.hstack([targets[rows, None], others])
    features = np.stack([np.take_along_axis(scores, items, axis=1) for scores in said], axis=2)
    real = items != NO_ITEM
    return Choices(features, real, cold[items] & real, rows)


def _joined(parts: Sequence[Choices]) -> Choices:
    return Choices(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "real", "cold", "rows"))
    )
