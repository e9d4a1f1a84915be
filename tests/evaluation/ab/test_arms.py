"""Users fall into arms by their shares, growing an arm moves nobody back, and lost users are noticed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import ConfigError
from palate.evaluation.ab.arms import MISMATCH, arm_of, checked, mismatch_p


def test_as_many_users_fall_into_an_arm_as_its_share_says():
    places = (np.arange(1000) + 0.5) / 1000
    found = [arm_of(place, {"a": 0.25, "b": 0.15, "c": 0.6}) for place in places]
    assert [found.count(arm) for arm in "abc"] == [250, 150, 600]


@given(st.floats(0, 1, exclude_max=True), st.floats(0.01, 0.4), st.floats(0.5, 0.99))
def test_an_arm_that_grows_keeps_its_users(place, small, large):
    if arm_of(place, {"new": small, "old": 1 - small}) == "new":
        assert arm_of(place, {"new": large, "old": 1 - large}) == "new"


def test_the_last_place_has_an_arm_whatever_rounding_left():
    assert arm_of(np.nextafter(1.0, 0.0), {str(n): 0.1 for n in range(10)}) == "9"


@pytest.mark.parametrize(
    ("shares", "complaint"),
    [
        pytest.param({"a": 1.0}, "two or more", id="one-arm"),
        pytest.param({"a": 0.5, "b": 0.4}, "add up to 0.9", id="sum"),
        pytest.param({"a": 1.5, "b": -0.5}, "a=1.5", id="too-large"),
        pytest.param({"a": "half", "b": 0.5}, "a='half'", id="no-number"),
        pytest.param({"a": float("nan"), "b": 0.5}, "a=nan", id="nan"),
    ],
)
def test_shares_that_are_none_are_refused(shares, complaint):
    with pytest.raises(ConfigError, match=complaint):
        checked(shares)


def test_the_chi_square_by_hand():
    # (60 - 50)² / 50 + (40 - 50)² / 50 = 4, whose p with one degree of freedom is .0455
    assert mismatch_p({"a": 60, "b": 40}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.0455, abs=1e-4)
    assert mismatch_p({"a": 10, "b": 90}, {"b": 0.9, "a": 0.1}) == 1.0
    assert mismatch_p({"a": 0, "b": 0}, {"a": 0.5, "b": 0.5}) == 1.0
    assert mismatch_p({"a": 7}, {"a": 1.0}) == 1.0


def test_a_loss_of_a_tenth_of_an_arm_is_noticed_and_luck_is_not():
    rng = np.random.default_rng(0)
    shares = {"a": 0.5, "b": 0.5}
    alarms = sum(
        mismatch_p({"a": n, "b": 10_000 - n}, shares) < MISMATCH for n in rng.binomial(10_000, 0.5, 400).tolist()
    )
    assert alarms <= 3
    assert mismatch_p({"a": 5000, "b": 4500}, shares) < MISMATCH
