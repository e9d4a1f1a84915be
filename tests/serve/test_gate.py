"""F6: a bad version of each kind is refused, a good one passes, and what cannot be known is not claimed."""

from dataclasses import dataclass, replace
from time import sleep
from typing import Any

import numpy as np
import pytest

from palate.data.dataset import IdMap
from palate.evaluation.compare import Interval
from palate.model import Model, fit
from palate.pipeline import Recommender
from palate.retrieve.popular import Popular
from palate.serve.gate import GateConfig, Outcome, judge
from serve.versions import DAY, popular, shop, told, until


@pytest.fixture(scope="module")
def data():
    return shop()


@pytest.fixture(scope="module")
def live(data):
    return told(data, 40)


def test_an_equal_version_passes_and_its_numbers_are_kept(data, live):
    outcome = judge(told(data, 40), live, data, name="v1")
    assert outcome.passed
    assert outcome.reasons == ()
    assert outcome.people == 40
    assert outcome.metrics["candidate"]["ndcg@10"].mean == 1.0
    assert outcome.differences["live"] == Interval(0.0, 0.0, 0.0, 40)
    assert outcome.metrics["popular"]["ndcg@10"].mean < 0.5
    assert outcome.protocol.startswith("likes after 2023-11-22 22:13 UTC")
    assert set(outcome.latency_ms) == {"candidate", "live"}
    assert Outcome.of_plain(outcome.as_plain()) == outcome


def test_a_version_that_is_a_third_worse_is_refused_with_the_numbers(data, live):
    """28 of 40 people find their item first, the others not in ten: NDCG@10 0.7 against 1."""
    outcome = judge(told(data, 28), live, data, name="v1")
    assert outcome.verdict == "refused"
    assert outcome.metrics["candidate"]["ndcg@10"].mean == pytest.approx(0.7)
    assert outcome.metrics["candidate"]["hit_rate@10"].mean == pytest.approx(0.7)
    difference = outcome.differences["live"]
    assert difference.mean == pytest.approx(-0.3)
    assert -0.46 < difference.low < difference.high < -0.14  # 0.3 +- 1.96 * sqrt(.3 * .7 / 40) = 0.14
    assert outcome.reasons[0].startswith("Less accurate than the live version v1: ndcg@10 0.7000 against 1.0000")


def test_a_better_version_passes(data):
    outcome = judge(told(data, 40), told(data, 28), data)
    assert outcome.passed
    assert outcome.differences["live"].low > 0


def test_a_loss_that_is_not_ruled_out_is_not_a_pass(data, live):
    """One of 40 people lost: -0.025, and the interval reaches from about -0.075 to 0."""
    outcome = judge(told(data, 39), live, data, GateConfig(tolerance=0.05))
    assert outcome.verdict == "undecided"
    assert "A loss of 5% against the live version is not ruled out" in outcome.reasons[0]
    assert judge(told(data, 39), live, data, GateConfig(tolerance=0.15)).passed


def test_less_than_counting_is_refused_even_where_nothing_is_live(data):
    """Half of the people liked i10 five days ago, the other half likes it now, and the candidate puts it last."""
    events = data.events
    last = events.time == events.time.max()
    time = np.where(last & (events.user < 20), events.time - 5 * DAY, events.time)
    order = np.lexsort((time, events.user))
    item = np.where(last, 10, events.item).astype(np.int32)[order]
    counted = replace(data, events=replace(events, item=item, time=time[order]))
    candidate = told(counted, 0, liked=lambda n: 10)
    outcome = judge(candidate, None, counted)
    assert outcome.people == 20
    assert outcome.metrics["popular"]["ndcg@10"].mean == 1.0
    assert outcome.verdict == "refused"
    assert "Less accurate than popularity" in outcome.reasons[0]


def test_a_version_that_cannot_be_told_from_counting_says_so(data):
    outcome = judge(popular(until(data, 9)), None, data)
    assert outcome.passed
    assert "Not shown to be better than popularity" in outcome.notes[0]


@dataclass(frozen=True, eq=False)
class Busy:
    """A ranker that changes nothing and takes 60 ms on any processor: many times what `live` takes, or 10 ms."""

    config: Any = None

    def rank(self, queries, slate):
        sleep(0.06)
        return slate


def _with_scores(data, change):
    model = popular(until(data, 9))
    retriever = model.recommender.retriever
    return replace(model, recommender=Recommender(replace(retriever, popularity_=change(retriever.popularity_))))


def _narrow(data):
    """A model of a catalogue without the last ten items."""
    items = replace(data.items, ids=IdMap(data.items.ids.ids[:20]))
    for name in ("title", "description", "tags"):
        items = replace(items, **{name: getattr(data.items, name)[:20]})
    return popular(replace(until(data, 9), items=items))


def _nan_at_the_end(scores):
    return np.where(np.arange(len(scores)) == len(scores) - 1, np.nan, scores).astype(np.float32)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        pytest.param(lambda d: _with_scores(d, lambda s: s * np.nan), "100.0% of its scores are nan", id="nan"),
        pytest.param(lambda d: _with_scores(d, _nan_at_the_end), "3.3% of its scores are nan", id="one-nan"),
        pytest.param(lambda d: _with_scores(d, lambda s: s + np.inf), "nan or infinite", id="infinite"),
        pytest.param(lambda d: _with_scores(d, np.ones_like), "same score for 40 of 40 people", id="constant"),
        pytest.param(lambda d: _with_scores(d, lambda s: s[:20]), "shape (40, 20)", id="narrow-scores"),
        pytest.param(lambda d: told(d, 40, width=5), "shape (40, 35)", id="wide-scores"),
        pytest.param(_narrow, "10 items that the live version knows are not in its catalogue, such as i20", id="items"),
        pytest.param(
            lambda d: _with_scores(d, lambda s: np.where(np.arange(30), -np.inf, s)),
            "40 of 40 people are shown nothing",
            id="empty",
        ),
        pytest.param(lambda d: Model(d, Recommender(Popular())), "NotFittedError", id="unfitted"),
    ],
)
def test_an_unsound_version_is_refused(data, live, bad, complaint):
    with np.errstate(invalid="ignore"):
        candidate = bad(data)
    outcome = judge(candidate, live, data)
    assert outcome.verdict == "refused"
    assert complaint in outcome.reasons[0]


def test_a_version_that_takes_ten_times_as_long_is_refused(data, live):
    slow = replace(live, recommender=replace(live.recommender, rankers=(Busy(),)))
    outcome = judge(slow, live, data, GateConfig(requests=10))
    assert outcome.verdict == "refused"
    assert outcome.reasons[0].startswith("Too slow: the median answer takes")
    assert outcome.latency_ms["candidate"] > 3 * outcome.latency_ms["live"]
    assert judge(slow, live, data, GateConfig(requests=5, quick_ms=10_000.0)).passed


def test_an_item_that_the_shop_no_longer_has_is_not_asked_for(data):
    candidate = _narrow(data)
    small = replace(data, items=candidate.data.items).with_events(data.events.item < 20)
    outcome = judge(candidate, popular(until(data, 9)), small)
    assert outcome.verdict != "refused"


@pytest.mark.parametrize("seen_by", ["candidate", "live"])
def test_likes_that_either_was_trained_on_do_not_judge(data, live, seen_by):
    knows = popular(data)
    outcome = judge(*((knows, live) if seen_by == "candidate" else (live, knows)), data)
    assert outcome.verdict == "undecided"
    day = "2023-11-23 22:13 UTC"
    assert f"No likes after {day}, when the data of the {seen_by} version end" in outcome.reasons[0]
    assert "(refit)" in outcome.reasons[0]


def test_a_live_version_that_has_seen_a_part_of_the_newest_day_is_not_judged_by_the_rest_of_it(data):
    """What others did that day tells of the day; both must know as little of it."""
    some = data.with_events((data.events.time < data.events.time.max()) | (data.events.user < 20))
    outcome = judge(told(data, 40), popular(some), data)
    assert outcome.verdict == "undecided"
    assert "when the data of the live version end" in outcome.reasons[0]


def test_without_times_only_pairs_that_nobody_was_trained_on_judge(data, live):
    timeless = replace(data, events=replace(data.events, clock="none"))
    outcome = judge(told(timeless, 40), live, timeless)
    assert outcome.people == 40
    assert outcome.passed
    assert "need not be newer" in outcome.notes[0]
    known = replace(until(data, 10), events=replace(data.events, clock="none"))
    assert judge(popular(known), live, timeless).verdict == "undecided"


def test_too_few_people_decide_nothing(data, live):
    few = data.with_events((data.events.user < 19) | (data.events.time < data.events.time.max()))
    outcome = judge(told(data, 40), live, few)
    assert outcome.verdict == "undecided"
    assert outcome.reasons == ("Only 19 people have likes to be judged by; it takes 20.",)


def test_versions_that_number_people_and_items_otherwise_are_asked_the_same(data, live):
    order = np.arange(30)[::-1]
    items = replace(data.items, ids=IdMap(tuple(data.items.ids.ids[row] for row in order)))
    people = replace(data.users, ids=IdMap(data.users.ids.ids[::-1]))
    events = data.events
    back = np.argsort(39 - events.user, kind="stable")
    columns = {"user": (39 - events.user)[back], "item": (29 - events.item)[back], "time": events.time[back]}
    turned = replace(data, items=items, users=people, events=replace(events, **columns))
    outcome = judge(told(turned, 40), live, data)
    assert outcome.passed
    assert outcome.metrics["candidate"] == outcome.metrics["live"]


def test_a_live_version_that_is_unsound_itself_is_said_and_does_not_stop_the_gate(data):
    outcome = judge(told(data, 40), _with_scores(data, lambda s: s * np.nan), data)
    assert outcome.passed
    assert outcome.notes[0].startswith("The live version is unsound itself")
    assert "live" not in outcome.metrics


def test_recipes_fitted_again_are_judged_where_a_candidate_has_seen_everything(board):
    live, candidate = fit(board, "popular"), fit(board, "item-knn")
    config = GateConfig(quick_ms=1000.0, enough=5)
    assert judge(candidate, live, board, config).verdict == "undecided"
    outcome = judge(candidate, live, board, config, refit=True)
    assert outcome.passed
    assert outcome.differences["live"].low > 0  # people keep to their taste, which popularity does not see
    assert outcome.protocol.startswith("recipes fitted again on the older part of the log, not the versions themselves")
    same = judge(live, live, board, config, refit=True)
    assert "compares it with itself" in same.notes[0]


def test_a_recipe_that_cannot_be_fitted_again_decides_nothing(board):
    outcome = judge(popular(board, recipe="mine"), None, board, refit=True)
    assert outcome.verdict == "undecided"
    assert 'recipe "mine": unknown' in outcome.reasons[0]


def test_the_same_seed_judges_the_same_people(data, live):
    config = GateConfig(people=25)
    one, two = (judge(told(data, 28), live, data, config) for _ in range(2))
    assert one.people == 25
    assert replace(one, latency_ms={}) == replace(two, latency_ms={})


def test_what_is_slow_and_worse_is_told_of_both(data, live):
    slow = told(data, 20)
    slow = replace(slow, recommender=replace(slow.recommender, rankers=(Busy(),)))
    outcome = judge(slow, live, data, GateConfig(requests=5))
    assert [reason.partition(":")[0] for reason in outcome.reasons] == [
        "Too slow",
        "Less accurate than the live version",
    ]
