"""Fusion: by hand with members whose scores are given, and what it must never do."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from conftest import checkerboard
from palate.errors import ConfigError
from palate.retrieve.dense import Dense
from palate.retrieve.fuse import Fused, FusedConfig
from palate.retrieve.lexical import Lexical
from palate.retrieve.popular import Popular
from palate.retrieve.scale import standardised
from palate.retrieve.top import retrieve_in_blocks
from palate.types import STRANGER, Queries, Ragged
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

    def retrieve(self, queries, k):
        return retrieve_in_blocks(self.scores, queries, k)


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


@dataclass(frozen=True, eq=False)
class Oracle(Says):
    """Knows the board: the other items of the history's taste, the newest liked one's neighbour first."""

    sign: float = 1.0
    fits: list = field(default_factory=list)

    def fit(self, data, runtime):
        self.fits.append(len(data.events))
        return self

    def scores(self, queries):
        taste = np.array([row[-1] % 2 if len(row) else -1 for row in queries.histories])
        items = np.arange(20)
        return (self.sign * (items[None] % 2 == taste[:, None]) * (20 - items)).astype(np.float32)


def fused(runtime, members, method="fixed", weights=(), data=DATA):
    return Fused(FusedConfig(method=method), members=members, weights=weights).fit(data, runtime)


def test_reciprocal_ranks_match_hand_arithmetic(runtime):
    members = (Says((9, 8, 7, 0)), Says((0, 5, 5, 1)))
    scores = fused(runtime, members, "rrf").scores(asking([0]))[0]
    first, second, third = 1 / 61, 1 / 62, 1 / 63
    assert scores == pytest.approx([first / 2, (second + first) / 2, (third + first) / 2, third / 2])


def test_fixed_weights_add_z_scores(runtime):
    members = (Says((2, 0, 0, 2)), Says((0, 0, 0, 4)))  # z-scores (1, -1, -1, 1) and (-1, -1, -1, 3) / 3 ** 0.5
    scores = fused(runtime, members, weights=(3, 1)).scores(asking([0]))[0]
    low, high = -0.25 / 3**0.5, 0.75 / 3**0.5
    assert scores == pytest.approx([0.75 + low, -0.75 + low, -0.75 + low, 0.75 + high])


MEMBERS = (Says((1, 0, 0, 0)), SaysOfWishes((0, 1, 0, 0)), SaysAlways((0, 0, 1, 0)))


@pytest.mark.parametrize("method", ["rrf", "fixed"])
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


def test_learning_finds_the_member_that_is_right(runtime):
    found = fused(runtime, (Oracle(sign=-1.0), Oracle()), "fitted", data=checkerboard())
    assert found.weights_.tolist() == [0, 1]
    assert found.record_["members"] == ("Oracle", "Oracle")
    assert found.record_["passed"] is True
    assert found.record_["ndcg@10 blend"] == found.record_["ndcg@10 alone"][1] > found.record_["ndcg@10 alone"][0]
    assert found.record_["held_out"] == 40


def test_members_learn_their_weights_without_the_held_out_likes_and_are_then_fitted_on_all(runtime):
    oracle, data = Oracle(), checkerboard()
    fused(runtime, (oracle, Popular()), "fitted", data=data)
    assert oracle.fits == [len(data.events) - 40, len(data.events)]


def test_a_blend_that_does_harm_is_not_used(runtime, monkeypatch):
    monkeypatch.setattr("palate.retrieve.blend.conditional_logit", lambda features, real: np.array([1.0, 0.0]))
    found = fused(runtime, (Oracle(sign=-1.0), Oracle()), "fitted", data=checkerboard())
    assert found.record_["passed"] is False
    assert found.weights_.tolist() == [0, 1]
    assert found.record_["ndcg@10 blend"] < found.record_["ndcg@10 alone"][1]


def test_too_few_people_leave_equal_weights_and_say_so(runtime):
    found = fused(runtime, (Oracle(), Popular()), "fitted", data=checkerboard(n_users=10))
    assert found.weights_.tolist() == [0.5, 0.5]
    assert found.record_ == {
        "members": ("Oracle", "Popular"),
        "weights": (0.5, 0.5),
        "held_out": 10,
        "passed": False,
    }


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0, 1.0), (0.0, 0.0, 0.0)])
def test_weights_that_fit_no_member_are_refused(runtime, weights):
    with pytest.raises(ConfigError, match=r"Fused\.weights"):
        fused(runtime, MEMBERS, weights=weights)


def test_weights_depend_on_the_seed_alone(runtime):
    members, data = (Oracle(), Popular()), checkerboard(seed=4)
    first, again = (fused(runtime, members, "fitted", data=replace(data)) for _ in range(2))
    assert first.weights_.tolist() == again.weights_.tolist()


def test_a_wish_is_heard_by_its_own_weights(board, runtime):
    members = (Popular(), Lexical())
    wish = Queries(np.array([STRANGER], np.int32), Ragged.empty(1), Ragged.empty(1), ("wedding cakes",))
    popular, lexical = (member.fit(board, runtime).scores(wish) for member in members)
    fused = Fused(FusedConfig(method="fixed"), members=members, wish_weights=(1.0, 3.0)).fit(board, runtime)
    expected = 0.25 * standardised(popular) + 0.75 * standardised(lexical)
    np.testing.assert_allclose(fused.scores(wish), expected, atol=1e-5)
    with pytest.raises(ConfigError, match=r"Fused\.wish_weights"):
        Fused(members=members, wish_weights=(1.0,)).fit(board, runtime)
