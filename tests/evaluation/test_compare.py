"""Intervals cover what they claim, tests are uniform under the null, corrections are Holm's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.evaluation.compare import Interval, auc_interval, holm, interval, intervals, paired_p
from palate.metrics.accuracy import auc


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_the_interval_covers_the_true_mean_about_95_times_in_100():
    draw = rng(1)
    inside = 0
    for seed in range(400):
        found = interval(draw.exponential(1.0, 80).astype(np.float32), rng(seed), resamples=400)
        inside += found.low <= 1.0 <= found.high
    assert 0.90 <= inside / 400 <= 0.97  # a skewed sample of 80 is covered slightly less often


def test_clusters_widen_the_interval_to_what_the_users_alone_give():
    users = rng(2).normal(size=60).astype(np.float32)
    repeated, owner = np.repeat(users, 20), np.repeat(np.arange(60, dtype=np.int32), 20)
    alone, clustered, naive = interval(users, rng()), interval(repeated, rng(), owner), interval(repeated, rng())
    assert (clustered.low, clustered.high) == pytest.approx((alone.low, alone.high), abs=1e-6)
    assert clustered.n == 60
    assert naive.high - naive.low < 0.4 * (clustered.high - clustered.low)


def test_a_cluster_counts_by_its_rows():
    found = interval(np.array([1, 1, 1, 0], np.float32), rng(), np.array([5, 5, 5, 9], np.int32))
    assert found.mean == 0.75


def test_columns_are_what_they_are_alone_and_nan_is_left_out():
    values = rng(3).random((50, 3)).astype(np.float32)
    values[::2, 1] = np.nan
    together = intervals(values, rng(7))
    assert together == tuple(interval(values[:, column], rng(7)) for column in range(3))
    assert together[1].n == 25
    assert together[1].mean == pytest.approx(values[1::2, 1].mean())


def test_chunks_do_not_change_the_interval(monkeypatch):
    values = rng(4).random(40).astype(np.float32)
    whole = interval(values, rng(5))
    monkeypatch.setattr("palate.evaluation.compare._CELLS", 400)
    assert interval(values, rng(5)) == whole


def test_one_value_has_no_bounds_and_none_has_no_mean():
    one, none = intervals(np.array([[0.5, np.nan], [np.nan, np.nan]], np.float32), rng())
    assert (one.mean, one.n) == (0.5, 1)
    assert np.isnan(one.low)
    assert np.isnan(none.mean)
    assert none.n == 0
    assert interval(np.zeros(0, np.float32), rng()).n == 0


def test_the_permutation_p_is_uniform_where_nothing_differs():
    draw = rng(6)
    ps = [paired_p(draw.normal(size=40).astype(np.float32), rng(seed), flips=400) for seed in range(300)]
    for level in (0.05, 0.25, 0.5, 0.75):
        assert np.mean(np.array(ps) <= level) == pytest.approx(level, abs=0.075)


def test_the_permutation_p_by_hand():
    # of the 8 signs of three equal differences, +++ and --- reach the observed sum: p = 2 / 8
    assert paired_p(np.array([1, 1, 1], np.float32), rng(), flips=20_000) == pytest.approx(0.25, abs=0.01)
    assert paired_p(np.array([1, 1, 1, 0, np.nan], np.float32), rng(), flips=20_000) == pytest.approx(0.25, abs=0.01)
    assert paired_p(np.zeros(5, np.float32), rng()) == 1.0


def test_a_clear_difference_has_a_small_p_and_repeating_rows_does_not_make_it_smaller():
    differences = rng(8).normal(0.5, 1, 60).astype(np.float32)
    alone = paired_p(differences, rng())
    assert alone < 0.01
    repeated = paired_p(np.repeat(differences, 30), rng(), np.repeat(np.arange(60, dtype=np.int32), 30))
    assert repeated == pytest.approx(alone, abs=0.002)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.7]) == (1.0, 1.0)
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_never_lowers_and_keeps_the_order(ps):
    corrected = np.array(holm(ps))
    assert (corrected >= np.array(ps)).all()
    order = np.argsort(ps, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()


def test_the_auc_interval_resamples_users():
    draw = rng(9)
    users = np.repeat(np.arange(30, dtype=np.int32), 10)
    labels = draw.random(300) < 0.5
    scores = np.round(labels * 0.7 + draw.normal(size=300), 1).astype(np.float32)
    found = auc_interval(users, labels, scores, rng(1), resamples=300)
    again = rng(1)
    slow = []
    for _ in range(300):
        drawn = again.integers(0, 30, 30)
        rows = np.concatenate([np.flatnonzero(users == user) for user in drawn])
        slow.append(auc(labels[rows], scores[rows]))
    assert found.mean == auc(labels, scores)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(slow, [2.5, 97.5])))


def test_an_interval_is_printed_with_its_bounds():
    assert str(Interval(0.0312, 0.018, 0.0441, 7)) == "0.031 [0.018, 0.044]"


def test_auc_of_runs_is_averaged_on_the_same_resamples():
    users = np.repeat(np.arange(30, dtype=np.int32), 2)
    labels = np.tile([True, False], 30)
    scores = np.random.default_rng(0).normal(size=60).astype(np.float32)
    one = auc_interval(users, labels, scores, np.random.default_rng(1))
    assert auc_interval(users, labels, np.array([scores, scores]), np.random.default_rng(1)) == one
    none = auc_interval(users, labels, np.array([scores, scores]), np.random.default_rng(1), less=scores)
    assert (none.mean, none.low, none.high) == (0, 0, 0)
    both = auc_interval(users, labels, np.array([scores, -scores]), np.random.default_rng(1))
    assert (both.mean, both.low, both.high) == pytest.approx((0.5, 0.5, 0.5))
