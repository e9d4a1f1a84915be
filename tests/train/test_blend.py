"""Learning how to put retrievers together, with members that are right, wrong or of no use."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

from conftest import checkerboard
from palate.config import option, options
from palate.rank.features import FeatureRanker
from palate.retrieve.dense import Dense
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular
from palate.retrieve.top import retrieve_in_blocks
from palate.retrieve.transition import Transition
from palate.train import blend as module
from palate.train.blend import Blend
from palate.train.holdout import hold_out
from palate.train.lesson import BlendConfig, Lesson
from palate.train.logit import Weights
from palate.train.search import Found
from palate.types import Slate
from retrieve.fakes import WordEncoder, asking, dataset


@options
class OracleConfig:
    sign: float = option(1.0, "Whether it is right.")
    noise: float = option(0.0, "What is added to its scores, times the item's row number modulo 7.")


@dataclass(frozen=True, eq=False)
class Oracle:
    """Knows the board: the other items of the history's taste, the lower rows first."""

    config: OracleConfig = OracleConfig()
    fits: list = field(default_factory=list)
    reads: ClassVar = frozenset({"history"})

    def fit(self, data, runtime):
        self.fits.append(len(data.events))
        return self

    def scores(self, queries):
        taste = np.array([row[-1] % 2 if len(row) else -1 for row in queries.histories])
        items = np.arange(20)
        right = self.config.sign * (items[None] % 2 == taste[:, None]) * (20 - items)
        return (right + self.config.noise * (items % 7)).astype(np.float32)

    def retrieve(self, queries, k, among=None):
        return retrieve_in_blocks(self.scores, queries, k, among)


def oracle(**options):
    return Oracle(OracleConfig(**options))


def learned(runtime, *members, data=None, **options):
    return Blend(BlendConfig(**options), members=members).fit(data or checkerboard(), runtime)


def test_the_member_that_is_right_is_found(runtime):
    fused, rankers, _ = learned(runtime, oracle(sign=-1.0), oracle(), trees=False)
    record = fused.record
    assert record["weights"] == (0, 1)
    assert fused.weights == (1,)
    assert fused.members[0].config.sign == 1  # the other is not fitted again
    assert record["not_needed"] == ("Oracle",)
    assert rankers == ()
    assert record["members"] == ("Oracle", "Oracle")
    assert record["held_out"] == 20
    assert record["used"] == "best part"  # the sum is no better, and a part is simpler
    assert record["ndcg@10"] == {"best part": record["alone"][1], "weighted sum": record["alone"][1]}
    assert record["alone"][1] > record["alone"][0]


def test_members_learn_without_the_held_out_likes_and_are_then_fitted_on_all(runtime):
    one, data = oracle(), checkerboard()
    learned(runtime, one, Popular(), data=data)
    assert one.fits == [len(data.events) - 20, len(data.events)]


def test_a_sum_that_does_harm_is_not_used(runtime, monkeypatch):
    monkeypatch.setattr("palate.train.choices.conditional_logit", lambda *_: Weights(np.array([1.0, 0.0])))
    fused, _, _ = learned(runtime, oracle(sign=-1.0), oracle(), trees=False)
    assert fused.record["used"] == "best part"
    assert fused.record["weights"] == (0, 1)
    assert fused.record["ndcg@10"]["weighted sum"] < fused.record["ndcg@10"]["best part"]


def test_too_few_people_leave_equal_weights_and_say_so(runtime):
    fused, rankers, _ = learned(runtime, oracle(), Popular(), data=checkerboard(n_users=10))
    assert fused.weights == ()
    assert rankers == ()
    assert fused.record == {"members": ("Oracle", "Popular"), "held_out": 5}
    assert np.isfinite(fused.scores(asking([0]))).all()


def test_trees_are_used_where_a_sum_cannot_say_it(runtime):
    # one member is right about even, the other about odd items, and each is loud where it is wrong
    board = checkerboard(n_users=400)
    fused, rankers, _ = learned(runtime, Half(0), Half(1), data=board, held_out=200)
    ways = fused.record["ndcg@10"]
    assert fused.record["used"] == "trees"
    assert ways["trees"] > ways["weighted sum"]
    assert len(rankers) == 1
    slate = fused.retrieve(board.queries(np.arange(5)), 20)
    ranked = rankers[0].rank(board.queries(np.arange(5)), slate)
    assert np.array_equal(np.sort(ranked.items), np.sort(slate.items))


@pytest.mark.parametrize(("counts", "read"), [(False, ["Half"]), (True, ["Half", "Popular"])])
def test_trees_read_popularity_only_where_asked_to(runtime, counts, read):
    fused, rankers, _ = learned(runtime, Popular(), Half(0), Half(1), data=checkerboard(n_users=400), counts=counts)
    assert len(rankers) == 1
    slate = fused.retrieve(asking([0]), 5)
    assert sorted({name.split(":")[0] for name in slate.signals.names}) == read


@dataclass(frozen=True, eq=False)
class Half(Oracle):
    """Right for people of one taste; for the others the opposite of right, and louder."""

    of: int = 0

    def __init__(self, of):
        object.__setattr__(self, "config", OracleConfig())
        object.__setattr__(self, "fits", [])
        object.__setattr__(self, "of", of)

    def scores(self, queries):
        taste = np.array([row[-1] % 2 if len(row) else -1 for row in queries.histories])
        sign = np.where(taste == self.of, 1.0, -0.5)[:, None]
        return (sign * super().scores(queries)).astype(np.float32)


def test_popularity_stands_by_for_strangers(runtime):
    board = checkerboard()
    fused, _, _ = Blend(members=(oracle(),), standby=Popular()).fit(board, runtime)
    assert fused.weights == (1.0, 0.0)
    expected = Popular().fit(board, runtime).retrieve(asking([]), 3).items
    assert fused.retrieve(asking([]), 3).items.tolist() == expected.tolist()


def test_the_same_seed_learns_the_same(runtime):
    members = (Half(0), Half(1))
    first, again = (learned(runtime, *members, data=replace(checkerboard(n_users=400))) for _ in range(2))
    assert first[0].record["ndcg@10"] == again[0].record["ndcg@10"]
    assert [one.boosters_ for one in first[1]] == [one.boosters_ for one in again[1]]


@pytest.mark.parametrize("n_people", [5, 30])
def test_no_more_people_than_asked_for_lose_a_like(runtime, n_people):
    fused, _, _ = learned(runtime, oracle(), Popular(), data=checkerboard(n_users=100), held_out=n_people)
    assert fused.record["held_out"] == n_people


def test_a_single_part_without_options_to_choose_is_only_fitted(runtime):
    one, data = oracle(), checkerboard()
    fused, rankers, _ = learned(runtime, one, data=data)
    assert one.fits == [len(data.events)]
    assert (fused.record, rankers) == ({}, ())


def test_candidates_without_anything_liked_teach_no_trees_and_do_no_harm(runtime):
    fused, rankers, _ = learned(runtime, oracle(sign=-1.0), oracle(sign=-0.5), breadth=1)
    assert fused.record["ndcg@10"]["trees"] == fused.record["ndcg@10"]["weighted sum"] == 0
    assert rankers == ()


def test_a_member_that_only_wishes_hear_stays(runtime):
    blend = Blend(members=(oracle(), oracle(sign=-1.0)), wish_weights=(0.0, 1.0))
    fused, _, _ = blend.fit(checkerboard(), runtime)
    assert fused.weights == (1, 0)
    assert fused.wish_weights == (0, 1)


@dataclass(frozen=True, eq=False)
class Slow(Oracle):
    """Right, and 20 s late by the clock."""

    clock: list = field(kw_only=True)

    def fit(self, data, runtime):
        self.clock[0] += 20
        return super().fit(data, runtime)


@dataclass(frozen=True, eq=False)
class Trained(Oracle):
    """Remembers the time that it is given to train."""

    given: list = field(default_factory=list)

    def within(self, seconds):
        self.given.append(seconds)
        return self

    def refit(self, fitted, data, runtime):
        return fitted


def test_a_member_that_takes_longer_than_what_is_left_is_left_out(runtime, clock):
    slow = Slow(clock=clock)
    fused, _, _ = learned(runtime, oracle(noise=9.0), slow, seconds=30.0)
    assert fused.record["too_slow"] == ("Slow",)
    assert [one.config.noise for one in fused.members] == [9]
    assert len(slow.fits) == 1
    assert [trial["part"] for trial in fused.record["trials"]] == ["Oracle", "Slow"]
    assert learned(runtime, oracle(noise=9.0), slow)[0].record["too_slow"] == ()


def test_without_any_time_the_first_member_answers(runtime, clock):
    trained = Trained()
    fused, _, _ = learned(runtime, Slow(clock=clock), Slow(clock=clock), trained, seconds=10.0)
    assert [type(one).__name__ for one in fused.members] == ["Slow"]
    assert trained.given == []


def test_what_fitting_the_others_on_everything_takes_is_no_time_to_train(runtime, clock):
    trained = Trained()
    learned(runtime, Slow(clock=clock), Slow(clock=clock), trained, seconds=200.0)
    assert trained.given == [(200.0 - 2 * 20.0 - 2 * 20.0) / 2]


@pytest.mark.parametrize(
    ("costs", "shares", "kept"),
    [
        ((10, 20, 30), (30, 100 / 3, 30), [0, 1, 2]),
        ((10, 20, 31), (30, 100 / 3, 30), [0, 1]),  # 59 s are left, and 30 of them are for the first two
        ((50, 5, 5), (30, 20 / 3, 5), [0, 1, 2]),
        ((5, 200, 5), (30, 110 / 3), [0]),  # no time to try the last one
        ((5, 10, 300), (30, 110 / 3, 45), [0, 1]),  # late, and yet not by the first alone
        ((70, 5, 5), (30,), [0]),
    ],
)
def test_each_part_has_a_share_of_the_time_that_fitting_the_others_leaves(
    runtime, monkeypatch, clock, costs, shares, kept
):
    given = []

    def chosen(member, *others):
        cost = costs[len(given)]
        clock[0] += cost
        given.append(others[-1])
        return Found(member, member, (), 0.8 * cost, 0.002 * cost)

    monkeypatch.setattr(module, "chosen", chosen)
    data = checkerboard()
    blend = Blend(BlendConfig(seconds=120.0), members=(oracle(), oracle(), oracle()))
    places, found = blend._in_time(*hold_out(data, 20, np.random.default_rng(0)), runtime, 120.0, 100)
    assert given == pytest.approx(shares)
    assert places == kept
    assert [one.again for one in found.values()] == [0.8 * cost for cost in costs[: len(shares)]]


COLOURS = ("red", "green", "blue", "black")


def test_items_that_nobody_liked_are_put_by_their_texts_among_the_others(runtime, monkeypatch):
    """People stay with a colour; behaviour tells well among the 80 old items, and nothing of the 4 new ones."""
    monkeypatch.setattr("palate.train.blend.PRETENDED", 0.2)
    rng = np.random.default_rng(0)
    rows = [[4 * int(step) + user % 4 for step in rng.permutation(20)[:8]] for user in range(400)]
    data = dataset(rows, 84, titles=tuple(f"{COLOURS[item % 4]} thing" for item in range(84)))
    members = (Transition(), Dense(encoder=WordEncoder()))
    fused, _, _ = Blend(BlendConfig(trees=False), members=members).fit(data, runtime)
    assert fused.cold.tolist() == [False] * 80 + [True] * 4
    assert fused.cold_weights == fused.record["cold_weights"]
    assert fused.cold_weights[1] > 0
    asked = asking(*([colour, 8 + colour, 16 + colour] for colour in range(4)))
    scores = fused.scores(asked)
    assert scores[:, 80:].argmax(axis=1).tolist() == [0, 1, 2, 3]
    others = np.where(np.arange(80) % 4 == np.arange(4)[:, None], -np.inf, scores[:, :80])
    assert (scores[np.arange(4), 80 + np.arange(4)] > others.max(axis=1)).all()
    assert fused.newcomers == fused.record["newcomers"]["every"] == 10
    assert 0 < fused.record["newcomers"]["ndcg@10"] <= 1


def test_without_items_that_nobody_liked_none_plays_one(runtime):
    data = dataset([[(user + step) % 20 for step in range(6)] for user in range(60)], 20, titles=("thing",) * 20)
    one = oracle()
    Blend(members=(one, Dense(encoder=WordEncoder()))).fit(data, runtime)
    assert one.fits[0] == 360 - 30


@options
class FarConfig:
    far: bool = option(
        False, "Whether the answer is near the top for all, or at the top for half.", tries=(True,), asking=True
    )


@dataclass(frozen=True, eq=False)
class Far:
    """Knows what comes next: the first of all for people of even items, else the last; or the 21st for everybody."""

    config: FarConfig = FarConfig()
    reads: ClassVar = frozenset({"history"})

    def fit(self, data, runtime):
        return self

    def scores(self, queries):
        last = np.array([row[-1] if len(row) else 0 for row in queries.histories])
        scores = np.zeros((len(queries), 600), np.float32)
        scores[:, :20] = 3 * self.config.far
        scores[np.arange(len(last)), (last + 2) % 600] = np.where(self.config.far | (last % 2 == 0), 2, -2)
        return scores

    def retrieve(self, queries, k, among=None):
        return retrieve_in_blocks(self.scores, queries, k, among)


def test_short_lists_from_outside_have_options_and_weights_of_their_own(runtime):
    data = dataset([[100 + user + 2 * step for step in range(4)] for user in range(200)], 600)
    fused, _, lists = Blend(members=(Far(), Popular()), config=BlendConfig(trees=False)).fit(data, runtime)
    told = fused.record["lists"]
    assert not fused.members[0].config.far
    assert lists.retriever.members[0].config.far
    assert told["ndcg@10"]["weighted sum"] > told["ndcg@10"]["as in the catalogue"] + 0.2
    assert told["weights"] == lists.retriever.weights


def test_where_lists_are_no_better_with_their_own_they_are_as_the_catalogue(runtime):
    fused, _, lists = learned(runtime, oracle(sign=-1.0), oracle(), trees=False)
    assert lists is None
    assert fused.record["lists"]["used"] == "as in the catalogue"


def test_lists_have_trees_of_their_own_where_a_sum_cannot_say_it(runtime):
    _, queries, targets = hold_out(checkerboard(n_users=400), 200, np.random.default_rng(0))
    members, cold = (Half(0), Half(1)), np.zeros(20, np.bool_)
    lesson = Lesson(BlendConfig(), members, (), FeatureRanker(), queries, targets, cold, runtime)
    lists, shown, numbers = lesson.for_lists(Fused(members=members, n_items_=20), ())
    assert shown.items.shape == (200, 50)
    ways = numbers["ndcg@10"]
    assert numbers["used"] == "trees"
    assert ways["trees"] > ways["weighted sum"]
    given = np.tile(np.arange(20, dtype=np.int32), (5, 1))
    slate = lists.retriever.retrieve(queries.take(slice(5)), 20, given)
    assert np.array_equal(np.sort(lists.rankers[0].rank(queries.take(slice(5)), slate).items), given)


@dataclass(frozen=True, eq=False)
class Backwards:
    """A reader that turns every list around, and remembers what it was taught with."""

    seen: list = field(default_factory=list)
    given: list = field(default_factory=list)

    def within(self, seconds):
        self.given.append(seconds)
        return self

    def taught(self, data, queries, slate, targets, runtime):
        self.seen.append((slate, targets))
        return self, {"used": True}

    def rank(self, queries, slate):
        return Slate(slate.items[:, ::-1], -slate.scores[:, ::-1])


@pytest.mark.parametrize("reads", ["catalogue", "lists"])
def test_a_reader_learns_from_the_lists_that_it_reads_and_reads_no_others(runtime, reads):
    reader = Backwards()
    config = BlendConfig(trees=False, reader=reads)
    fused, rankers, lists = Blend(config, members=(oracle(), Popular()), reader=reader).fit(checkerboard(), runtime)
    (slate, targets), known = reader.seen[0], checkerboard(n_users=1).n_items
    assert fused.record["reader"] == {"used": True}
    assert (rankers, lists.rankers) == (((reader,), ()) if reads == "catalogue" else ((), (reader,)))
    assert len(slate) == len(targets) == 20
    unlike = [len({item % 2 for item in row if item >= 0}) for row in slate.items]  # the oracle puts one taste first
    assert slate.k == (known if reads == "catalogue" else 50)
    assert set(unlike) == {2}


def test_a_reader_has_the_time_that_the_parts_leave_and_is_not_trained_without_any(runtime):
    reader = Backwards()
    members = (oracle(), Popular())
    Blend(BlendConfig(trees=False), members=members, reader=reader).fit(checkerboard(), runtime)
    Blend(BlendConfig(trees=False, seconds=60.0), members=members, reader=reader).fit(checkerboard(), runtime)
    assert reader.given[0] == np.inf
    assert 30 < reader.given[1] < 60
    fused, rankers, _ = Blend(BlendConfig(seconds=0.0), members=members, reader=reader).fit(checkerboard(), runtime)
    assert len(reader.seen) == 2
    assert fused.record["reader"] == {"used": False, "reason": "no time is left to train it"}
    assert rankers == ()
