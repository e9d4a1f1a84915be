"""An experiment from end to end on data whose right answer is known."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from evaluation.fakes import fit
from palate.errors import DataError, LeakError
from palate.evaluation.cost import measured
from palate.evaluation.experiment import experiment
from palate.evaluation.result import Comparison, Experiment, Interval
from palate.runtime import Runtime


@pytest.fixture(scope="module")
def found() -> Experiment:
    return experiment(checkerboard(n_users=160), ["taste", "noise"], fit=fit, split="leave-last-out", k=5)


def test_the_better_recipe_is_ahead_and_popularity_is_always_there(found):
    values = {one.recipe: one.test["ndcg@5"] for one in found.recipes}
    assert values["taste"].low > values["popular"].high
    assert [one.recipe for one in found.recipes if not one.asked] == ["popular"]
    first = found.comparisons[0]
    assert (first.a, first.group, first.verdict) == ("taste", "all", "ahead")
    assert found.conclusions[0].startswith(f"taste is ahead of {first.b}: +")


def test_hit_rate_agrees_with_counting_by_hand(found):
    # the two answers that are left of a taste of nine, or fewer, always fit into five places unless rows rank them last
    taste = next(one for one in found.recipes if one.recipe == "taste")
    assert taste.test["hit_rate@5"].n == 160
    assert taste.test["hit_rate@5"].mean == pytest.approx(taste.test["recall@5"].mean)  # one answer each
    assert taste.beyond["valid items"].mean == 1.0


def test_an_experiment_survives_json(found):
    again = Experiment.from_json(found.to_json())
    assert again.to_json() == found.to_json()
    assert again.recipes[0].test == found.recipes[0].test
    assert "NaN" not in found.to_json()


def test_json_that_is_something_else_says_so():
    for text in ("[]", "{}", "nothing", json.dumps({"format": 99}), json.dumps({"format": 1})):
        with pytest.raises(DataError, match="not the JSON of an experiment"):
            Experiment.from_json(text)


def test_the_table_comes_in_the_datas_kind(found):
    table = found.table()
    assert table["recipe"][0] == "taste"
    assert {"ndcg@5", "ndcg@5 low", "ndcg@5 high", "fit_s", "peak_mb"} <= set(table.columns)
    pandas = pytest.importorskip("pandas")
    assert isinstance(replace(found, frame="pandas").table(), pandas.DataFrame)


def test_the_circumstances_are_recorded(found):
    assert found.data["sha256"] == checkerboard(n_users=160).fingerprint()
    assert {"processor", "cores", "memory", "numpy", "palate"} <= set(found.environment)
    assert found.seed == 0
    assert "no" in found.budget
    assert any("last event tests" in note for note in found.notes)
    assert all(one.fit.peak_mb > 10 for one in found.recipes)


def test_the_same_seed_gives_the_same_numbers(found):
    again = experiment(checkerboard(n_users=160), ["taste", "noise"], fit=fit, split="leave-last-out", k=5)
    assert [one.test for one in again.recipes] == [one.test for one in found.recipes]
    assert again.comparisons == found.comparisons


def test_slices_have_their_own_holm_family(found):
    whole = [one for one in found.comparisons if one.group == "all"]
    assert len(whole) == 3
    assert len(found.comparisons) == 3 + 2 * len(found.recipes[0].slices)  # of the best against the two others
    smallest = min(whole, key=lambda one: one.p)
    assert smallest.p_holm == pytest.approx(3 * smallest.p)


def test_models_are_fitted_on_train_only_and_asked_once():
    lengths, asked = [], []

    def watched(recipe, data, runtime):
        lengths.append(len(data.events))
        model = fit(recipe, data, runtime)
        asked.append(recipe)
        return model

    experiment(checkerboard(), ["taste", "taste", "popular"], fit=watched, split="leave-last-out")
    assert lengths == [160, 160]  # of 240 events, without the last two of 40 users
    assert asked == ["popular", "taste"]


def test_ratings_bring_labelled_pairs_and_the_rules():
    data = checkerboard(n_users=120)
    liked = np.random.default_rng(0).random(len(data.events)) < 0.6
    rated = replace(data, events=replace(data.events, liked=liked, value=np.where(liked, 5, 2).astype(np.float32)))
    found = experiment(rated, ["noise"], fit=fit)
    assert [one.name for one in found.pairs] == ["popular", "noise", "item mean + user mean", "liked share of history"]
    assert any(sentence.startswith("On labelled pairs, UAUC not shown to be better") for sentence in found.conclusions)


def test_sampled_candidates_come_with_a_warning():
    found = experiment(checkerboard(), ["taste"], fit=fit, split="leave-last-out", candidates=9)
    assert "Only 10 candidates per user were ranked" in found.warnings[0]
    assert "9 other items" in found.protocol


def test_gaps_between_groups_of_users_are_measured():
    data = checkerboard(n_users=160)
    people = replace(data.users, attributes={"side": tuple("ab"[user % 2] for user in range(160))})
    found = experiment(replace(data, users=people), ["taste"], fit=fit, split="leave-last-out")
    assert "gap by side" in found.recipes[0].catalogue


def test_a_leaking_attribute_stops_the_experiment():
    data = checkerboard(n_users=200)
    counts = np.bincount(data.events.item, minlength=data.n_items)
    items = replace(data.items, attributes={"heat": tuple(map(str, counts))})
    with pytest.raises(LeakError, match='"heat"'):
        experiment(replace(data, items=items), ["taste"], fit=fit)


def test_a_difference_counts_only_where_interval_and_test_agree():
    def verdict(mean, low, high, p):
        return Comparison("a", "b", "all", "all users", Interval(mean, low, high, 9), p, p).verdict

    assert verdict(0.2, 0.1, 0.3, 0.01) == "ahead"
    assert verdict(-0.2, -0.3, -0.1, 0.01) == "behind"
    assert verdict(0.2, -0.1, 0.3, 0.01) == "no difference"
    assert verdict(0.2, 0.1, 0.3, 0.06) == "no difference"


def test_no_difference_is_called_so():
    found = experiment(
        checkerboard(n_users=60), ["noise", "popular"], fit=fit, split="leave-last-out", runtime=Runtime(3)
    )
    one = next(c for c in found.comparisons if c.group == "all")
    expected = (
        r"No difference between \w+ and \w+: [+-]" if one.verdict == "no difference" else r"\w+ is ahead of \w+: \+"
    )
    assert re.match(expected, found.conclusions[0])


def test_cost_sees_memory_that_was_let_go():
    def heavy():
        return int(np.ones(25_000_000).sum())

    _, before = measured(lambda: None)
    result, cost = measured(heavy)
    _, after = measured(lambda: None)
    assert result == 25_000_000
    assert cost.peak_mb > before.peak_mb + 150
    assert after.peak_mb <= cost.peak_mb
    assert cost.seconds > 0
