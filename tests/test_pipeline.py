from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from palate.errors import ContractError
from palate.guard.rules import Rules
from palate.pipeline import Recommender
from palate.types import NO_ITEM, STRANGER, Queries, Ragged, Signals, Slate, Verdict


@dataclass(frozen=True)
class Fixed:
    """Scores every item by its row number, so that the last item is the best."""

    n_items: int = 6
    reads: ClassVar[frozenset[str]] = frozenset({"history"})

    def fit(self, data, runtime):
        return self

    def scores(self, queries):
        return np.tile(np.arange(self.n_items, dtype=np.float32), (len(queries), 1))

    def retrieve(self, queries, k, among=None):
        scores = self.scores(queries)
        items = np.tile(np.arange(self.n_items, dtype=np.int32), (len(queries), 1)) if among is None else among
        return Slate.best(items, np.take_along_axis(scores, np.maximum(items, 0), 1), k)


class Backwards(Fixed):
    def scores(self, queries):
        return -super().scores(queries)


class Reverse:
    def rank(self, queries, slate):
        return Slate(slate.items[:, ::-1].copy(), -slate.scores[:, ::-1])


class ReverseAndTell(Reverse):
    def contributions(self, queries, slate):
        return Signals(("score", "constant"), np.stack([-slate.scores, np.zeros_like(slate.scores)], axis=2))


class Inventor:
    def rank(self, queries, slate):
        return replace(slate, items=slate.items + 1)


class NoEven:
    def check(self, queries, slate):
        even = slate.items % 2 == 0
        return Verdict(~even, {"even": even})


def queries(n=2, seen=()):
    return Queries(np.full(n, STRANGER, np.int32), Ragged.empty(n), Ragged.of([list(seen)] * n), ("",) * n)


def test_the_best_come_first():
    assert Recommender(Fixed()).recommend(queries(1), 3).slate.items.tolist() == [[5, 4, 3]]


def test_a_ranker_reorders_the_whole_breadth_before_the_list_is_cut():
    answer = Recommender(Fixed(), rankers=(Reverse(),), breadth=4).recommend(queries(1), 2)
    assert answer.slate.items.tolist() == [[2, 3]]


def test_a_ranker_that_invents_items_is_caught():
    with pytest.raises(ContractError, match="Inventor"):
        Recommender(Fixed(), rankers=(Inventor(),)).recommend(queries(), 2)


def test_what_scores_are_made_of_is_told_for_the_shown_items_in_their_order():
    told = Recommender(Fixed(), rankers=(ReverseAndTell(),), guards=(NoEven(),), breadth=4)
    answer = told.recommend(queries(600), 2, explain=True)  # more than a block
    assert answer.slate.items.tolist() == [[3, 5]] * 600
    assert answer.contributions.names == ("score", "constant")
    assert answer.contributions.values.tolist() == [[[-3, 0], [-5, 0]]] * 600
    assert told.recommend(queries(1), 2).contributions is None
    assert told.recommend(queries(0), 2, explain=True).contributions is None


def test_only_the_ranker_that_the_retriever_speaks_to_is_asked_what_its_scores_are_made_of():
    last = Recommender(Fixed(), rankers=(Reverse(), ReverseAndTell()))
    assert last.recommend(queries(1), 2, explain=True).contributions is None


def test_guarded_items_never_reach_the_answer_and_are_counted():
    answer = Recommender(Fixed(), guards=(NoEven(),)).recommend(queries(2), 3)
    assert answer.slate.items.tolist() == [[5, 3, 1]] * 2
    assert answer.removed == {"even": 6}


def test_rules_remove_what_a_careless_retriever_returns_again():
    answer = Recommender(Fixed(), guards=(Rules(),)).recommend(queries(1, seen=[5, 3]), 6)
    assert answer.slate.items.tolist() == [[4, 2, 1, 0, NO_ITEM, NO_ITEM]]
    assert answer.removed == {"seen": 2, "rules": 0}


def test_candidates_are_ranked_and_padding_stays_on_the_right():
    ranked = Recommender(Fixed()).rank(queries(2), np.array([[1, 4, NO_ITEM], [0, 2, 5]], np.int32))
    assert ranked.items.tolist() == [[4, 1, NO_ITEM], [5, 2, 0]]


def test_the_basis_says_what_a_list_rests_on():
    known = Queries(
        np.array([0, STRANGER], np.int32), Ragged.of([[1], []]), Ragged.empty(2), ("", "a wish that nobody reads")
    )
    assert Recommender(Fixed()).recommend(known, 1).basis == ("history", "popularity")


def test_short_lists_from_outside_are_put_in_order_by_what_is_there_for_them():
    recommender, both = Recommender(Fixed(200), lists=Recommender(Backwards(200))), np.full((2, 150), NO_ITEM, np.int32)
    both[0, :3], both[1] = [5, 7, 6], np.arange(150)
    ranked = recommender.rank(queries(2), both)
    assert ranked.items[0, :4].tolist() == [5, 6, 7, NO_ITEM]
    assert ranked.items[1, :3].tolist() == [149, 148, 147]
    assert recommender.score(queries(1), both[:1]).items[0, :3].tolist() == [7, 6, 5]
