"""The trade: what a sweep measures is what a model fitted with that strength shows."""

from dataclasses import replace

import numpy as np
import pytest

import palate
from conftest import checkerboard
from palate.cli.outcome import trade_table
from palate.errors import ConfigError
from palate.evaluation.evaluate import evaluate
from palate.evaluation.ranking import answered
from palate.evaluation.report import html
from palate.evaluation.result import Experiment, Interval, Trade, TradePoint
from palate.evaluation.trade import STEPS, concluded
from palate.metrics.accuracy import NDCG
from palate.metrics.beyond import coverage, exposure, miscalibration
from palate.rank.values import value_shares
from palate.runtime import Runtime

BOARD = checkerboard(n_users=120)


@pytest.fixture(scope="module")
def cut():
    """People of both tastes whose tags differ, so that calibrating has something to do."""
    items = replace(
        BOARD.items, tags=tuple(f"{tag}, {'old' if n % 3 else 'new'}" for n, tag in enumerate(BOARD.items.tags))
    )
    return palate.data.split.split(replace(BOARD, items=items), "leave-last-out", Runtime())


@pytest.fixture(scope="module")
def found(cut) -> Experiment:
    return evaluate(
        cut.train, ["item-knn"], split=cut, k=4, encoder="hashing", diversify={"mmr": 0.2, "calibrate": 0.9},
        trade="calibrate",
    )  # fmt: skip


def test_a_sweep_measures_what_a_model_with_that_strength_shows(found, cut):
    (trade,) = found.trades
    assert (trade.recipe, trade.option) == ("item-knn", "calibrate")  # not popularity, which nobody asked for
    assert tuple(point.strength for point in trade.points) == STEPS
    shares, queries = value_shares(cut.train.items, "tags"), cut.validation.queries()
    for point in trade.points[:: len(STEPS) - 1]:
        wanted = {"mmr": 0.2, "calibrate": point.strength}
        model = palate.fit(cut.train, "item-knn", encoder="hashing", diversify=wanted)
        slate = answered(model.recommender, cut.validation, 4, Runtime())
        assert point.accuracy.mean == pytest.approx(NDCG(4).per_user(slate, cut.validation.truth).mean(), abs=1e-6)
        assert point.coverage == coverage(exposure(slate, cut.train.n_items))
        far = np.nanmean(miscalibration(slate, queries.histories, shares))
        assert point.gains["calibration error"].mean == pytest.approx(far, abs=1e-6)


def test_changes_are_against_strength_0_of_the_same_users(found):
    first, *_, last = found.trades[0].points
    assert (first.change.mean, first.change.low, first.change.high) == (0, 0, 0)
    assert last.change.mean == pytest.approx(last.accuracy.mean - first.accuracy.mean, abs=1e-6)
    assert last.gains["calibration error"].mean < first.gains["calibration error"].mean


def test_the_asked_recipes_are_judged_with_their_variety_and_the_floor_without(found, cut):
    plain = evaluate(cut.train, ["item-knn"], split=cut, k=4)
    now, before = ({one.recipe: one.beyond["diversity"].mean for one in each.recipes} for each in (found, plain))
    assert now["popular"] == before["popular"]
    assert now["item-knn"] != before["item-knn"]


def test_trades_survive_json_and_are_in_every_output(found):
    assert Experiment.from_json(found.to_json()).trades == found.trades
    lines = trade_table(found.trades[0], found.metric).splitlines()
    assert len(lines) == 2 + len(STEPS)
    page = html(found)
    assert "<h2>What variety costs</h2>" in page
    for point in found.trades[0].points:
        assert f"{point.accuracy.mean:.4f}" in "".join(lines)
        assert f"{point.gains['calibration error'].mean:.3f}" in page
    assert found.conclusions[-1].startswith("item-knn with calibrate on validation: ")


def test_an_experiment_without_a_trade_shows_none(cut):
    page = html(evaluate(cut.train, ["item-knn"], split=cut, k=4))
    assert "What variety costs" not in page


def test_items_without_values_have_no_calibration_error(cut):
    bare = replace(BOARD, items=replace(BOARD.items, tags=("",) * BOARD.n_items))
    found = evaluate(bare, ["popular"], split="leave-last-out", encoder="hashing", trade="popularity_damping")
    assert set(found.trades[0].points[0].gains) == {"diversity", "novelty"}


def drawn(*changes):
    """A trade with these bounds of change, one step after the other."""
    points = [
        TradePoint(
            step / 10,
            Interval(0.3, 0.2, 0.4, 9),
            Interval(mean, low, high, 9),
            {"novelty": Interval(step, 0, 9, 9)},
            0.5,
        )
        for step, (mean, low, high) in enumerate([(0, 0, 0), *changes])
    ]
    return Trade("ease", "mmr", tuple(points))


SAME, WORSE = (-0.01, -0.02, 0.01), (-0.02, -0.03, -0.01)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param([SAME, SAME, WORSE, SAME], "up to 0.2 no loss of NDCG@10 is shown, -0.010", id="some"),
        pytest.param([WORSE, SAME], "0.1 costs already, -0.020", id="none"),
        pytest.param([SAME, SAME], "up to 0.2 no loss of NDCG@10 is shown", id="all"),
    ],
)
def test_the_conclusion_stops_before_the_first_shown_loss(changes, said):
    assert said in concluded(drawn(*changes), "ndcg@10")


def test_a_trade_of_something_else_is_refused():
    with pytest.raises(ConfigError, match='trade: "depth": no such strength; choose from mmr, calibrate'):
        evaluate(BOARD, ["popular"], trade="depth")
