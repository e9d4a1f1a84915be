"""Options chosen on held-out likes."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.config import option, options, worth_trying
from palate.retrieve.neighbours import ItemKNN
from palate.train import search
from palate.train.holdout import hold_out
from palate.train.search import chosen
from train.test_blend import Oracle, OracleConfig, Slow, Trained, oracle


@options
class TunableConfig:
    sign: float = option(-1.0, "Whether it is right.", tries=(0.5, 1.0))
    noise: float = option(3.0, "What is added to its scores.", tries=(0.0,), asking=True)


def tunable():
    return replace(oracle(), config=TunableConfig())


@pytest.fixture(scope="module")
def lesson():
    rest, queries, targets = hold_out(checkerboard(), 40, np.random.default_rng(0))
    return rest, queries, targets


def test_options_that_are_only_read_when_asking_come_first():
    assert worth_trying(TunableConfig()) == [("noise", 0.0, True), ("sign", 0.5, False), ("sign", 1.0, False)]


@options
class ValueConfig(OracleConfig):
    weight: float = option(0.0, "Of tags.", tries=(1.0,), about_values=True)


def test_options_about_values_are_tried_only_where_items_share_some_and_are_not_all_alike(lesson, runtime):
    rest, queries, targets = lesson
    alone = tuple(f"tag{item}" for item in range(20))
    alike = ("tag",) * 20
    for tags, n in ((rest.items.tags, 2), (alone, 1), (alike, 1), (("",) * 20, 1)):
        other = replace(rest, items=replace(rest.items, tags=tags, attributes={}))
        assert len(chosen(Oracle(ValueConfig()), other, queries, targets, runtime, np.inf).trials) == n


def test_each_option_is_tried_and_the_best_is_kept(lesson, runtime):
    found = chosen(tunable(), *lesson, runtime, np.inf)
    qualities = [trial.quality for trial in found.trials]
    assert [trial.options for trial in found.trials[:2]] == [{}, {"noise": 0.0}]
    assert [trial.options["sign"] for trial in found.trials[2:]] == [0.5, 1.0]
    assert found.part.config.sign == (0.5 if qualities[2] >= qualities[3] else 1.0)
    assert found.part.config.noise == (3.0 if qualities[0] >= qualities[1] else 0.0)
    assert max(qualities) > qualities[0]


def test_an_option_read_when_asking_needs_no_new_fit(lesson, runtime):
    part = tunable()
    chosen(part, *lesson, runtime, np.inf)
    assert len(part.fits) == 3  # as given, and two signs


def test_no_time_leaves_the_options_as_they_are(lesson, runtime):
    found = chosen(tunable(), *lesson, runtime, 0.0)
    assert found.part.config == TunableConfig()
    assert len(found.trials) == 1


def test_large_data_are_searched_less(lesson, runtime, monkeypatch):
    monkeypatch.setattr(search, "EVENTS", 2 * len(lesson[0].events))
    assert len(chosen(tunable(), *lesson, runtime, np.inf).trials) == 3


def test_what_was_chosen_is_what_was_fitted(lesson, runtime):
    found = chosen(ItemKNN(), *lesson, runtime, np.inf)
    again = found.part.fit(lesson[0], runtime)
    assert (found.fitted.scores(lesson[1]) == again.scores(lesson[1])).all()
    assert found.fitted.config == found.part.config


def test_a_part_without_declared_values_is_tried_once(lesson, runtime):
    assert len(chosen(Oracle(), *lesson, runtime, np.inf).trials) == 1


@dataclass(frozen=True, eq=False)
class Learner(Trained, Slow):
    """Trains for 20 s by the clock."""


@pytest.mark.parametrize(("seconds", "again"), [(30.0, 10.0), (50.0, 20.0), (10.0, 20.0), (np.inf, 20.0)])
def test_a_network_is_brought_up_to_date_in_what_its_training_left(lesson, runtime, clock, seconds, again):
    assert chosen(Learner(clock=clock), *lesson, runtime, seconds).again == again


def test_what_only_asking_reads_does_not_make_the_last_fit_shorter(lesson, runtime, clock):
    found = chosen(Slow(TunableConfig(sign=1.0), clock=clock), *lesson, runtime, np.inf)
    assert found.part.config.noise == 0.0  # chosen without another fit
    assert found.again == 20
