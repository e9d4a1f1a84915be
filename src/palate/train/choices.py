"""What people liked, each beside items they might have taken instead: what weights are learned from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from palate.contracts import Retriever
from palate.retrieve.scale import standardised
from palate.retrieve.top import BLOCK, best
from palate.train.holdout import ENOUGH, quality
from palate.train.logit import Weights, conditional_logit
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate

PER_MEMBER = 50  # candidates that each retriever brings to learn weights from
PER_MEMBER_COLD = 10  # of these, at least, among the items that play cold ones
NO_REQUEST = -1
ANYWHERE = 49  # candidates of a list from outside, beside the liked one


@dataclass(frozen=True, eq=False)
class Choices:
    """What a conditional logit learns from.

    features: (N, C, M) the z-scores of each request's candidates, the target first; real, cold: (N, C) which of them
    are, and which play cold items; rows: (N,) which request each is, or NO_REQUEST
    """

    features: Floats
    real: Bools
    cold: Bools
    rows: Longs

    def weights(self, requests: Longs | None = None) -> Weights:
        """Learned from these requests, or from all; with too few cold answers none of their own for cold items."""
        asked = self.rows != NO_REQUEST if requests is None else np.isin(self.rows, requests)
        if np.count_nonzero(self.cold[asked, 0]) < ENOUGH:
            return conditional_logit(self.features[asked], self.real[asked], np.zeros_like(self.cold[asked]))
        of = asked | (self.rows == NO_REQUEST)
        return conditional_logit(self.features[of], self.real[of], self.cold[of])

    def joined_by(self, others: "Choices") -> "Choices":
        """With further choices among items that play cold ones, which are of no request: they tell such items apart,
        whatever request learns (a conditional logit is the same among a part of what could be chosen)."""
        width = max(self.real.shape[1], others.real.shape[1])
        of_none = replace(others, rows=np.full_like(others.rows, NO_REQUEST))
        return _joined([self._wider(width), of_none._wider(width)])

    def _wider(self, width: int) -> "Choices":
        """The same with so many candidates, the last not real."""
        more = (0, width - self.real.shape[1])
        real, cold = (np.pad(values, [(0, 0), more]) for values in (self.real, self.cold))
        return Choices(np.pad(self.features, [(0, 0), more, (0, 0)]), real, cold, self.rows)


def from_catalogue(
    members: Sequence[Retriever], queries: Queries, targets: Ints, cold: Bools
) -> tuple[Choices, tuple[float, ...]]:
    """Choices, and the NDCG@10 of each member alone.

    Candidates are the best unseen items of each member, and its best cold ones; a request whose target is not among
    them teaches nothing.
    """
    parts, alone = [], []
    for rows, said in _said(members, queries):
        slates = [best(scores, queries.take(rows), PER_MEMBER) for scores in said]
        alone.append(np.stack([quality(slate.top(10), targets[rows]) for slate in slates]))
        apart = [_best_cold(scores, cold, PER_MEMBER_COLD) for scores in said]
        parts.append(_reached(said, targets, [*slates, *apart], cold, rows))
    return _joined(parts), tuple(np.concatenate(alone, axis=1).mean(axis=1).tolist())


def among_cold(members: Sequence[Retriever], queries: Queries, targets: Ints, cold: Bools) -> Choices:
    """Choices between targets that play cold items and the best others that do, of each member."""
    parts = []
    for rows, said in _said(members, queries):
        parts.append(_reached(said, targets, [_best_cold(scores, cold, PER_MEMBER) for scores in said], cold, rows))
    return _joined(parts)


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


def _best_cold(scores: Floats, cold: Bools, k: int) -> Slate:
    """(B, k) the best of the items that play cold ones."""
    few = np.flatnonzero(cold).astype(np.int32)
    return Slate.best(np.tile(few, (len(scores), 1)), scores[:, few], k)


def _reached(said: Sequence[Floats], targets: Ints, slates: Sequence[Slate], cold: Bools, rows: Longs) -> Choices:
    """The targets of those requests in whose slates they are, each beside the other items there."""
    found = np.hstack([slate.items for slate in slates])
    reached = (found == targets[rows, None]).any(axis=1)
    rows, said = rows[reached], [scores[reached] for scores in said]
    return _choices(said, targets, _others(found[reached], targets[rows]), cold, rows)


def _joined(parts: Sequence[Choices]) -> Choices:
    return Choices(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "real", "cold", "rows"))
    )
