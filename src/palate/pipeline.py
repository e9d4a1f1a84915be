"""The path of a request: retrieve -> rank -> guard -> explain, nothing else. Queries in, an Answer out."""

from dataclasses import dataclass

import numpy as np

from palate.contracts import Explainer, Guard, Ranker, Retriever
from palate.errors import ContractError
from palate.types import NO_ITEM, Answer, Basis, Ints, Queries, Slate

BLOCK = 512  # requests scored over the whole catalogue at once


@dataclass(frozen=True, slots=True, eq=False)
class Recommender:
    """Stages that together answer requests.

    breadth: how many candidates are retrieved when there are rankers or guards to choose among them.
    """

    retriever: Retriever
    rankers: tuple[Ranker, ...] = ()
    guards: tuple[Guard, ...] = ()
    explainer: Explainer | None = None
    breadth: int = 200

    def recommend(self, queries: Queries, k: int, *, explain: bool = False) -> Answer:
        """The best `k` items for each request, shorter where fewer are permitted."""
        slate = self.retriever.retrieve(queries, max(k, self.breadth) if self.rankers or self.guards else k)
        slate, removed = self._guarded(queries, self._ranked(queries, slate))
        slate = slate.top(k)
        reasons = self.explainer.explain(self.retriever, queries, slate) if explain and self.explainer else ()
        return Answer(slate, self._basis(queries), reasons, removed)

    def rank(self, queries: Queries, items: Ints) -> Slate:
        """The given candidates (B, M), NO_ITEM where a row has fewer, best first; ties keep the given order."""
        blocks = [self._picked(queries.take(rows), items[rows]) for rows in _blocks(len(queries))]
        return self._ranked(queries, Slate.stack(blocks, items.shape[1]))

    def _picked(self, queries: Queries, items: Ints) -> Slate:
        scores = self.retriever.scores(queries)  # (B, n_items)
        return Slate.best(items, np.take_along_axis(scores, np.maximum(items, 0), axis=1), items.shape[1])

    def _ranked(self, queries: Queries, slate: Slate) -> Slate:
        for ranker in self.rankers:
            slate = _same_items(slate, ranker.rank(queries, slate), type(ranker).__name__)
        return slate

    def _guarded(self, queries: Queries, slate: Slate) -> tuple[Slate, dict[str, int]]:
        """The slate without what guards remove, and how many items each rule removed."""
        removed: dict[str, int] = {}
        for guard in self.guards:
            verdict = guard.check(queries, slate)
            for rule, marks in verdict.why.items():
                removed[rule] = removed.get(rule, 0) + int(marks.sum())
            slate = Slate.best(np.where(verdict.keep, slate.items, NO_ITEM), slate.scores, slate.k)
        return slate, removed

    def _basis(self, queries: Queries) -> tuple[Basis, ...]:
        """What each list rests on, given what the retriever can read."""
        reads = self.retriever.reads
        history = queries.has_history & ("history" in reads)
        text = queries.has_wish & ("text" in reads)
        names: dict[tuple[bool, bool], Basis] = {
            (True, True): "history+text",
            (True, False): "history",
            (False, True): "text",
            (False, False): "popularity",
        }
        return tuple(names[bool(h), bool(t)] for h, t in zip(history, text, strict=True))


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]


def _same_items(before: Slate, after: Slate, who: str) -> Slate:
    """`after`, once it is certain that it holds the items of `before` and no others."""
    if not np.array_equal(np.sort(before.items, axis=1), np.sort(after.items, axis=1)):
        raise ContractError(f"{who}: a ranker must return the items it was given, no more and no fewer")
    return after
