"""Fusion: by hand with members whose scores are given, and what it must never do."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from palate.errors import ConfigError
from palate.retrieve.dense import Dense
from palate.retrieve.fuse import Fused, FusedConfig
from palate.retrieve.lexical import Lexical
from palate.retrieve.popular import Popular
from palate.retrieve.scale import standardised
from palate.retrieve.top import retrieve_in_blocks
from palate.types import NO_ITEM, STRANGER, Queries, Ragged
from retrieve.fakes import WordEncoder, asking, dataset

DATA = dataset([[0]], 4)


@dataclass(frozen=True, eq=False)
class Says:
    """Gives every request with a history these scores, everybody else zeros."""

    row: tuple = (0, 0, 0, 0)
    reads: ClassVar = frozenset({"history"})

    def fit(self, data, runtime):
        return self

    def scores(self, queries):
        return queries.has_history[:, None] * np.array([self.row], np.float32)

    def retrieve(self, queries, k, among=None):
        return retrieve_in_blocks(self.scores, queries, k, among)


@dataclass(frozen=True, eq=False)
class SaysOfWishes(Says):
    reads: ClassVar = frozenset({"text"})

    def scores(self, queries):
        return queries.has_wish[:, None] * np.array([self.row], np.float32)


@dataclass(frozen=True, eq=False)
class SaysAlways(Says):
    reads: ClassVar = frozenset({"popularity"})

    def scores(self, queries):
        return np.tile(np.array(self.row, np.float32), (len(queries), 1))


def fused(runtime, members, method="z-scores", weights=(), data=DATA):
    return Fused(FusedConfig(method=method), members=members, weights=weights).fit(data, runtime)


def test_reciprocal_ranks_match_hand_arithmetic(runtime):
    members = (Says((9, 8, 7, 0)), Says((0, 5, 5, 1)))
    scores = fused(runtime, members, "reciprocal-ranks").scores(asking([0]))[0]
    first, second, third = 1 / 61, 1 / 62, 1 / 63
    assert scores == pytest.approx([first / 2, (second + first) / 2, (third + first) / 2, third / 2])


def test_fixed_weights_add_z_scores(runtime):
    members = (Says((2, 0, 0, 2)), Says((0, 0, 0, 4)))  # z-scores (1, -1, -1, 1) and (-1, -1, -1, 3) / 3 ** 0.5
    scores = fused(runtime, members, weights=(3, 1)).scores(asking([0]))[0]
    low, high = -0.25 / 3**0.5, 0.75 / 3**0.5
    assert scores == pytest.approx([0.75 + low, -0.75 + low, -0.75 + low, 0.75 + high])


MEMBERS = (Says((1, 0, 0, 0)), SaysOfWishes((0, 1, 0, 0)), SaysAlways((0, 0, 1, 0)))


@pytest.mark.parametrize("method", ["z-scores", "reciprocal-ranks"])
@pytest.mark.parametrize(
    ("history", "wish", "first"),
    [
        pytest.param([3], "", 0, id="history"),
        pytest.param([], "a wish", 1, id="wish"),
        pytest.param([], "", 2, id="nothing"),
    ],
)
def test_a_request_hears_the_members_that_can_read_it(runtime, method, history, wish, first):
    weights = (1.0, 1.0, 0.0)
    shown = fused(runtime, MEMBERS, method, weights).retrieve(asking(history, wishes=[wish]), 1)
    assert shown.items.tolist() == [[first]]


def test_history_and_wish_together_hear_both(runtime):
    weights = (1.0, 0.0, 0.0)
    shown = fused(runtime, MEMBERS, weights=weights).retrieve(asking([3], wishes=["a wish"]), 2).items[0]
    assert sorted(shown.tolist()) == [0, 1]


def test_who_has_only_declared_a_text_is_heard_by_it(runtime):
    members = (Dense(encoder=WordEncoder()), SaysAlways((9, 0, 0)))
    data = dataset([[], [0]], 3, titles=["cakes", "ships", "planets"], people=["ships", ""])
    queries = replace(asking([], []), users=np.array([0, 1], np.int32))
    shown = fused(runtime, members, data=data).retrieve(queries, 1)
    assert shown.items.tolist() == [[1], [0]]


def test_popularity_stands_by_where_nobody_has_anything_to_say(runtime):
    members = (Says((0, 0, 0, 0)), SaysAlways((0, 1, 2, 0)))
    shown = fused(runtime, members, weights=(1, 0)).retrieve(asking([3], []), 2)
    assert shown.items.tolist() == [[2, 1]] * 2


def test_it_reads_what_its_members_read():
    assert Fused(members=MEMBERS).reads == {"history", "text", "popularity"}
    assert Fused(members=MEMBERS[:1]).reads == {"history"}


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0, 1.0), (0.0, 0.0, 0.0)])
def test_weights_that_fit_no_member_are_refused(runtime, weights):
    with pytest.raises(ConfigError, match=r"Fused\.weights"):
        fused(runtime, MEMBERS, weights=weights)


def test_a_wish_is_heard_by_its_own_weights(board, runtime):
    members = (Popular(), Lexical())
    wish = Queries(np.array([STRANGER], np.int32), Ragged.empty(1), Ragged.empty(1), ("wedding cakes",))
    popular, lexical = (member.fit(board, runtime).scores(wish) for member in members)
    fused = Fused(members=members, wish_weights=(1.0, 3.0)).fit(board, runtime)
    expected = 0.25 * standardised(popular) + 0.75 * standardised(lexical)
    np.testing.assert_allclose(fused.scores(wish), expected, atol=1e-5)
    with pytest.raises(ConfigError, match=r"Fused\.wish_weights"):
        Fused(members=members, wish_weights=(1.0,))


def test_a_slate_tells_what_the_named_members_said(runtime):
    members = (Says((2, 0, 0, 2)), SaysAlways((0, 0, 1, 0)), Says((0, 0, 0, 4)))
    told = replace(fused(runtime, members, weights=(1, 1, 1)), tells=(0, 2)).retrieve(asking([0]), 2)
    assert told.items.tolist() == [[3, 2]]
    high, low = 3 / 3**0.5, -1 / 3**0.5  # z-scores of the third member
    assert told.signals.names == (
        "Says: score",
        "Says: score",
        "Says: distance to its best",
        "Says: distance to its best",
    )
    assert told.signals.values[0] == pytest.approx(np.array([[1, high, 0, 0], [-1, low, -2, low - high]]), abs=1e-6)


def test_without_being_asked_a_slate_tells_nothing(runtime):
    assert fused(runtime, (Says((2, 0, 0, 2)),)).retrieve(asking([0]), 2).signals is None


def test_only_the_given_candidates_are_ranked_seen_or_not(runtime):
    found = fused(runtime, (Says((4, 3, 2, 1)),)).retrieve(asking([0]), 3, np.array([[2, 0, NO_ITEM]], np.int32))
    assert found.items.tolist() == [[0, 2, NO_ITEM]]


def test_items_that_nobody_liked_are_heard_otherwise(runtime):
    members = (Says((3, 1, 0, 0)), Says((0, 0, 0, 4)), SaysAlways((0, 1, 0, 0)))
    cold = np.array([False, False, True, True])
    one = replace(fused(runtime, members, weights=(3, 1, 0)), cold=cold, cold_weights=(0.0, 2.0, 0.0), cold_shift=-0.5)
    first, second = (standardised(np.array([member.row], np.float32))[0] for member in members[:2])
    expected = np.where(cold, 2 * second - 0.5, 0.75 * first + 0.25 * second)
    assert one.scores(asking([0]))[0] == pytest.approx(expected, abs=1e-6)
    stranger = one.scores(asking([]))[0]
    assert stranger == pytest.approx(standardised(np.array([[0, 1, 0, 0]], np.float32))[0], abs=1e-6)


def test_a_slate_of_the_catalogue_ends_with_newcomers(runtime):
    members, cold = (Says(tuple(range(12, 0, -1))),), np.arange(12) >= 9
    one = replace(fused(runtime, members), cold=cold, newcomers=2, n_items_=12)
    found = one.retrieve(asking([0], [9], [], [1], wishes=["", "", "", "tea"]), 4)
    assert found.items[:2].tolist() == [[1, 2, 9, 10], [0, 1, 10, 11]]
    assert found.items[3].tolist() == [0, 2, 3, 4]
    assert one.retrieve(asking([0]), 2, np.array([[3, 9, 4]], np.int32)).items.tolist() == [[3, 4]]
    assert replace(one, newcomers=0).retrieve(asking([0]), 4).items.tolist() == [[1, 2, 3, 4]]


def test_newcomers_never_make_a_list_shorter(runtime):
    one = replace(fused(runtime, (Says((4, 3, 2, 1)),)), cold=np.array([False, False, False, True]), newcomers=1)
    assert one.retrieve(asking([0]), 4).items.tolist() == [[1, 2, 3, NO_ITEM]]


def test_where_no_member_has_anything_to_say_cold_items_get_no_shift(runtime):
    members, cold = (Says(), SaysAlways((0, 1, 0, 0))), np.array([False, False, True, True])
    one = replace(fused(runtime, members, weights=(1, 0)), cold=cold, cold_weights=(1.0, 0.0), cold_shift=9.0)
    assert one.retrieve(asking([0], seen=[[]]), 1).items.tolist() == [[1]]


def test_members_that_are_asked_beside_others_say_the_same(runtime, monkeypatch):
    model = fused(runtime, (Popular(), Says((1, 5, 2, 0)), Says((3, 0, 0, 1))), weights=(1.0, 2.0, 0.5))
    model, asked = replace(model, tells=(0, 1, 2)), asking([1], [])
    alone = model.retrieve(asked, 4)
    monkeypatch.setattr("palate.retrieve.fuse.MANY", 0)
    beside = model.retrieve(asked, 4)
    assert beside.items.tolist() == alone.items.tolist()
    assert beside.scores.tolist() == alone.scores.tolist()
    assert beside.signals.names == alone.signals.names
    assert beside.signals.values.tolist() == alone.signals.values.tolist()
