"""The path of a request: retrieve -> rank -> guard -> explain, nothing else. Queries in, an Answer out."""

from dataclasses import dataclass

import numpy as np

from palate.contracts import Accountable, Explainer, Guard, Ranker, Retriever
from palate.errors import ContractError
from palate.types import NO_ITEM, Answer, Basis, Ints, Queries, Signals, Slate

BLOCK = 512  # requests that go through all stages together
SHORT = 100  # items, at most, of a list from outside that is not like a catalogue


@dataclass(frozen=True, slots=True, eq=False)
class Recommender:
    """Stages that together answer requests.

    breadth: how many candidates are retrieved when there are rankers or guards to choose among them.
    lists: what puts short lists from outside in order, as among a few items from anywhere other things tell than among
        the first hundred of a catalogue; None is this itself.
    """

    retriever: Retriever
    rankers: tuple[Ranker, ...] = ()
    guards: tuple[Guard, ...] = ()
    explainer: Explainer | None = None
    breadth: int = 200
    lists: "Recommender | None" = None

    def recommend(self, queries: Queries, k: int, *, explain: bool = False) -> Answer:
        """The best `k` items for each request, shorter where fewer are permitted; with reasons if asked to explain."""
        breadth = max(k, self.breadth) if self.rankers or self.guards else k
        removed: dict[str, int] = {}
        parts = []
        for block in queries.blocks(BLOCK):
            found = self._ranked(block, self.retriever.retrieve(block, breadth))
            parts.append(self._guarded(block, found, removed).top(k))
        slate = Slate.stack(parts, max((part.k for part in parts), default=0))
        reasons = self.explainer.explain(self.retriever, queries, slate) if explain and self.explainer else ()
        contributions = self._contributions(queries, slate) if explain else None
        return Answer(slate, self._basis(queries), reasons, removed, contributions)

    def rank(self, queries: Queries, items: Ints) -> Slate:
        """The given candidates (B, M), NO_ITEM where a row has fewer, best first; ties keep the given order.

        Lists of at most SHORT items go through `lists`.
        """
        short = np.count_nonzero(items != NO_ITEM, axis=1) <= SHORT
        rows = [np.flatnonzero(short), np.flatnonzero(~short)]
        pairs = zip((self.lists or self, self), rows, strict=True)
        parts = [way.score(queries.take(own), items[own]) for way, own in pairs if len(own)]
        return Slate.stack(parts, items.shape[1]).take(np.argsort(np.concatenate(rows)))

    def score(self, queries: Queries, items: Ints) -> Slate:
        """The same with the scores that these items have in lists of the catalogue, in their order."""
        parts = []
        for start in range(0, len(queries), BLOCK):
            block, among = queries.take(slice(start, start + BLOCK)), items[start : start + BLOCK]
            parts.append(self._ranked(block, self.retriever.retrieve(block, items.shape[1], among)))
        return Slate.stack(parts, items.shape[1])

    def _ranked(self, queries: Queries, slate: Slate) -> Slate:
        for ranker in self.rankers:
            slate = _same_items(slate, ranker.rank(queries, slate), type(ranker).__name__)
        return slate

    def _contributions(self, queries: Queries, shown: Slate) -> Signals | None:
        """What the first ranker's scores of the shown items are made of; only the first reads the retriever's signals.

        The same items are asked for again, as scores and signals do not depend on what else is in a slate.
        """
        if not self.rankers or not isinstance(ranker := self.rankers[0], Accountable) or not len(queries):
            return None
        parts = []
        for start in range(0, len(queries), BLOCK):
            block, items = queries.take(slice(start, start + BLOCK)), shown.items[start : start + BLOCK]
            slate = self.retriever.retrieve(block, shown.k, items)
            parts.append(ranker.contributions(block, slate).of(slate.items, items))
        return Signals(parts[0].names, np.concatenate([part.values for part in parts]))

    def _guarded(self, queries: Queries, slate: Slate, removed: dict[str, int]) -> Slate:
        """The slate without what guards remove; how many items each rule removed is added to `removed`."""
        for guard in self.guards:
            verdict = guard.check(queries, slate)
            for rule, marks in verdict.why.items():
                removed[rule] = removed.get(rule, 0) + int(marks.sum())
            slate = Slate.best(np.where(verdict.keep, slate.items, NO_ITEM), slate.scores, slate.k)
        return slate

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


def _same_items(before: Slate, after: Slate, who: str) -> Slate:
    """`after`, once it is certain that it holds the items of `before` and no others."""
    if not np.array_equal(np.sort(before.items, axis=1), np.sort(after.items, axis=1)):
        raise ContractError(f"{who}: a ranker must return the items it was given, no more and no fewer")
    return after
