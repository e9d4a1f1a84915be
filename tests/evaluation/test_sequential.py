"""Confidence sequences hold at all looks together, where an interval for one look does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palate.evaluation.sequential import (
    always_valid_p,
    difference,
    difference_path,
    fixed_difference,
    half_widths,
    mean,
    mean_path,
)

USERS, RUNS = 3000, 400
FROM = 30  # the first look has so many users in each arm

OUTCOMES = {
    "bought-by-30-%": lambda rng, n: (rng.random(n) < 0.3).astype(np.float64),
    "bought-by-3-%": lambda rng, n: (rng.random(n) < 0.03).astype(np.float64),
    "money-spent-by-few": lambda rng, n: (rng.random(n) < 0.1) * rng.lognormal(3, 1, n),
}


def looks(treated):
    n = np.cumsum(treated)
    return np.minimum(n, np.arange(1, len(treated) + 1) - n) >= FROM


def fixed_half_widths(outcomes, treated):
    """(N,) those of the interval for one look, 1.96 standard errors, after each user."""
    squares = []
    for member in (treated, ~treated):
        n = np.cumsum(member)
        centre = np.cumsum(outcomes * member) / np.maximum(n, 1)
        squares.append((np.cumsum(outcomes**2 * member) / np.maximum(n, 1) - centre**2) / np.maximum(n - 1, 1))
    return 1.96 * np.sqrt(squares[0] + squares[1])


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("kind", OUTCOMES)
def test_looking_after_every_user_raises_no_more_than_5_false_alarms_in_100(kind, share):
    rng = np.random.default_rng(1)
    alarms = fixed = 0
    for _ in range(RUNS):
        outcomes, treated = OUTCOMES[kind](rng, USERS), rng.random(USERS) < share
        path, looked = difference_path(outcomes, treated), looks(treated)
        alarms += bool(((path.low > 0) | (path.high < 0))[looked].any())
        fixed += bool((np.abs(path.mean) > fixed_half_widths(outcomes, treated))[looked].any())
    assert alarms / RUNS <= 0.05
    assert fixed / RUNS > 0.15


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_true_difference_is_inside_at_all_looks_in_95_of_100_experiments(share):
    rng = np.random.default_rng(2)
    outside = found = 0
    for _ in range(RUNS):
        treated = rng.random(USERS) < share
        outcomes = (rng.random(USERS) < np.where(treated, 0.2, 0.1)).astype(np.float64)
        path, looked = difference_path(outcomes, treated), looks(treated)
        outside += bool(((path.low > 0.1) | (path.high < 0.1))[looked].any())
        found += bool(path.low[-1] > 0)
    assert outside / RUNS <= 0.05
    assert found / RUNS > 0.9


def test_one_mean_is_covered_at_all_looks():
    rng = np.random.default_rng(3)
    outside = 0
    for _ in range(RUNS):
        path = mean_path(rng.choice([-1.0, 0.0, 1.0], USERS, p=[0.2, 0.6, 0.2]))
        outside += bool(((path.low > 0) | (path.high < 0))[FROM:].any())
    assert outside / RUNS <= 0.05


@given(st.integers(0, 1000), st.integers(2, 60), st.integers(2, 60))
def test_the_p_value_is_below_5_hundredths_just_where_the_bounds_leave_out_zero(seed, n_treated, n_control):
    rng = np.random.default_rng(seed)
    found, p = difference(rng.normal(0.8, 1, n_treated), rng.normal(0, 1, n_control))
    assert found.low <= found.mean <= found.high
    assert (p < 0.05) == found.excludes_zero


def test_the_last_look_does_not_depend_on_the_order_in_which_users_came():
    rng = np.random.default_rng(4)
    outcomes, treated = rng.normal(1000, 3, 80), rng.random(80) < 0.3
    path = difference_path(outcomes, treated)
    found, p = difference(outcomes[treated], outcomes[~treated])
    assert (found.mean, found.low, found.high, p) == pytest.approx(
        (path.mean[-1], path.low[-1], path.high[-1], path.p[-1])
    )
    assert found.mean == pytest.approx(outcomes[treated].mean() - outcomes[~treated].mean())


def test_it_is_wider_than_the_interval_for_one_look_and_tightest_where_it_was_planned():
    n = np.array([200.0, 1000.0, 5000.0])
    against = half_widths(n, planned=1000) * np.sqrt(n)
    assert (against > 1.96).all()
    assert np.argmin(against) == 1
    assert (half_widths(n, planned=5000) < half_widths(n, planned=1000)).tolist() == [False, False, True]


def test_a_quiet_small_arm_is_not_taken_for_one_that_cannot_vary():
    treated, control = np.zeros(30), np.repeat([1.0, 0.0], [30, 270])
    assert not difference(treated, control)[0].excludes_zero
    assert fixed_difference(treated, control).high < 0  # its own variance is 0


def test_where_nothing_can_be_told_there_are_no_bounds():
    nothing = np.zeros(0)
    found, p = difference(nothing, nothing)
    assert (found.n, p) == (0, 1.0)
    assert np.isnan(found.mean)
    found, p = difference(np.ones(5), np.ones(5))
    assert (found.mean, p) == (0.0, 1.0)
    assert np.isnan([found.low, found.high]).all()
    found, p = difference(np.ones(5), nothing)
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert (found.n, p) == (5, 1.0)
    assert mean(nothing)[0].n == 0
    assert always_valid_p(np.array([0.0]), np.array([10.0])).tolist() == [1.0]


def test_the_interval_for_one_look_is_welchs():
    rng = np.random.default_rng(5)
    treated, control = rng.normal(1, 2, 40), rng.normal(0, 1, 25)
    found = fixed_difference(treated, control)
    expected = stats.ttest_ind(treated, control, equal_var=False).confidence_interval()
    assert (found.low, found.high, found.n) == pytest.approx((expected.low, expected.high, 65))
    assert np.isnan(fixed_difference(np.ones(1), control).low)
    assert np.isnan(fixed_difference(np.ones(3), np.ones(3)).low)
    assert np.isnan(fixed_difference(np.zeros(0), control).mean)
