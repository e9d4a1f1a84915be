"""Why an item is shown: the model is asked again without each piece of evidence, and the difference is the reason.

Counterfactual by construction: a history item is cited only if the shown item's score really falls without it.
"""

from dataclasses import dataclass, replace

import numpy as np

from palate.config import option, options
from palate.contracts import Reasons, Retriever
from palate.types import NO_ITEM, STRANGER, Bools, Floats, Ints, Queries, Ragged, Reason, Slate


@options
class EvidenceConfig:
    history: int = option(50, "How many of the newest history items are tried.", low=1)
    cited: int = option(2, "At most how many history items one reason cites.", low=1)
    share: float = option(0.1, "The least share of an item's support that is worth citing.", low=0.0, high=1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Reasons from the request's own history and wish, by leaving each out in turn.

    An item's support is the sum of what its score loses without each piece of evidence, counting losses only.
    The pieces with the largest share are cited. An item that no single piece supports is shown for the history as a
    whole where it stands higher than it would for someone of whom nothing is known, else for its popularity.
    """

    config: EvidenceConfig = EvidenceConfig()

    def explain(self, retriever: Retriever, queries: Queries, slate: Slate) -> Reasons:
        return tuple(
            self._reasons(retriever, queries.take(slice(row, row + 1)), slate.items[row]) for row in range(len(queries))
        )

    def _reasons(self, retriever: Retriever, query: Queries, shown: Ints) -> tuple[tuple[Reason, ...], ...]:
        """Reasons for one request, one tuple per place."""
        pieces = np.unique(query.histories.last(self.config.history)[0])
        without = _without(query, pieces, wish="text" in retriever.reads and bool(query.has_wish[0]))
        blocks = [retriever.scores(block) for block in without.blocks(64)]
        scores = np.concatenate(blocks)  # (1 + pieces + wish + 1, n_items)
        gone = _gone(scores[:-1], query, shown)
        loss = np.maximum(scores[0] - scores[1:-1], 0.0)  # (pieces + wish, n_items)
        reasons = []
        for place, item in enumerate(shown):
            raised = len(pieces) > 0 and _rank(scores[0], item) < _rank(scores[-1], item)
            otherwise = Reason("history" if raised else "popularity")
            found = self._reason(pieces, loss[:, item], gone[:, place]) or (otherwise,)
            reasons.append(found if item != NO_ITEM else ())
        return tuple(reasons)

    def _reason(self, pieces: Ints, loss: Floats, gone: Bools) -> tuple[Reason, ...]:
        """The reasons for one shown item, none where nothing supports it; `loss` and `gone` have a row per piece, then
        one for the wish if any."""
        support = float(loss.sum())
        if support <= 0.0:
            return ()
        share = loss / support
        best = [row for row in np.argsort(-share, kind="stable") if share[row] >= self.config.share]
        cited = [row for row in best if row < len(pieces)][: self.config.cited]
        reasons = []
        if cited:
            items = tuple(int(pieces[row]) for row in cited)
            reasons.append(Reason("history", items, float(share[cited].sum()), bool(gone[cited[0]])))
        if len(loss) > len(pieces) and len(pieces) in best:
            reasons.append(Reason("text", (), float(share[-1]), bool(gone[-1])))
        return tuple(sorted(reasons, key=lambda reason: -reason.weight))


def _without(query: Queries, pieces: Ints, *, wish: bool) -> Queries:
    """The request as it is, then without each history item in turn, then, if asked, without its wish, then of a
    stranger without either."""
    history = query.histories[0]
    variants = [history, *(history[history != piece] for piece in pieces)]
    wishes = [query.wishes[0]] * len(variants)
    if wish:
        variants, wishes = [*variants, history], [*wishes, ""]
    variants, wishes = [*variants, history[:0]], [*wishes, ""]
    users = np.append(np.full(len(variants) - 1, query.users[0]), STRANGER).astype(np.int32)
    asked = query.take(np.zeros(len(variants), np.int64))
    return replace(asked, users=users, histories=Ragged.of(variants), wishes=tuple(wishes))


def _rank(scores: Floats, item: int) -> int:
    """How many items of a row of scores stand before this one."""
    return int((scores > scores[item]).sum())


def _gone(scores: Floats, query: Queries, shown: Ints) -> Bools:
    """(variants, K) whether a shown item would not be in the list of the same length without that piece."""
    permitted = np.ones(scores.shape[1], np.bool_) if query.eligible is None else query.eligible.copy()
    permitted[query.seen.values] = False
    k = int((shown != NO_ITEM).sum())
    rivals = np.where(permitted, scores[1:], -np.inf)
    if k == 0 or k >= rivals.shape[1]:
        return np.zeros((len(scores) - 1, len(shown)), np.bool_)
    bar = np.partition(rivals, -k, axis=1)[:, -k]  # the score of the last place
    return scores[1:, np.maximum(shown, 0)] < bar[:, None]
