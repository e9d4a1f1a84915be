"""Popularity: likes counted, old ones less."""

from dataclasses import replace

import numpy as np
import pytest

from palate.retrieve.popular import DAY, Popular, PopularConfig
from retrieve.fakes import asking, dataset


def days(data, ages):
    """The data with events this many days before the last one, on a clock."""
    return replace(data, events=replace(data.events, time=2e9 - np.array(ages) * DAY, clock="time"))


def test_without_ageing_the_score_is_the_number_of_likes(runtime):
    data = dataset([[0, 1, 1], [0, 2], [0]], 4, disliked={(1, 2)})
    popular = Popular(PopularConfig(half_life_days=0.0)).fit(data, runtime)
    assert popular.scores(asking([])).tolist() == [[3, 2, 0, 0]]


def test_a_like_counts_half_after_the_half_life(runtime):
    data = days(dataset([[0, 1], [0, 2]], 3), [0, 0, 30, 60])
    popular = Popular(PopularConfig(half_life_days=30.0)).fit(data, runtime)
    assert popular.scores(asking([]))[0] == pytest.approx([1 + 1 / 2, 1, 1 / 4])


def test_age_runs_back_from_the_last_event_even_if_nobody_liked_it(runtime):
    data = days(dataset([[0, 1]], 2, disliked={(0, 1)}), [30, 0])
    popular = Popular(PopularConfig(half_life_days=30.0)).fit(data, runtime)
    assert popular.scores(asking([]))[0] == pytest.approx([1 / 2, 0])


@pytest.mark.parametrize("clock", ["order", "none"])
def test_events_without_times_do_not_age(runtime, clock):
    popular = Popular().fit(dataset([[0, 1], [1]], 2, clock=clock), runtime)
    assert popular.scores(asking([])).tolist() == [[1, 2]]


def test_likes_of_a_century_ago_are_not_nan(runtime):
    data = days(dataset([[0, 1]], 2), [36_500, 0])
    assert Popular(PopularConfig(half_life_days=1.0)).fit(data, runtime).scores(asking([])).tolist() == [[0, 1]]


def test_no_events_make_everything_equal(runtime):
    data = dataset([[0, 1]], 3)
    nothing = data.with_events(np.zeros(2, np.bool_))
    assert Popular().fit(nothing, runtime).scores(asking([])).tolist() == [[0, 0, 0]]
