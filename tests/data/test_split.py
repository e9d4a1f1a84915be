"""Splits: nothing that is asked was known, and nothing that is learned is later than promised."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import checkerboard
from palate.data.dataset import Dataset
from palate.data.split import (
    SPLITS,
    cold_items_by_time,
    cold_items_held_out,
    leave_last_out,
    random_per_user,
    random_split,
    split,
    time_split,
)
from palate.errors import ConfigError, DataError
from palate.runtime import Runtime


def log(*events: tuple[int, int, float, bool], clock: str = "time") -> Dataset:
    """A dataset of (user, item, time, liked) on the shelves of the checkerboard."""
    user, item, time, liked = (
        np.array(column) for column in zip(*sorted(events, key=lambda e: (e[0], e[2])), strict=True)
    )
    board = checkerboard()
    return replace(
        board,
        events=replace(
            board.events,
            user=user.astype(np.int32),
            item=item.astype(np.int32),
            time=time.astype(np.float64),
            value=np.ones(len(user), np.float32),
            liked=liked.astype(np.bool_),
            clock=clock,
        ),
    )


def pairs(data: Dataset) -> set[tuple[int, int, float]]:
    return set(zip(data.events.user.tolist(), data.events.item.tolist(), data.events.time.tolist(), strict=True))


@pytest.mark.parametrize("name", SPLITS)
@given(seed=st.integers(0, 50), n_users=st.integers(5, 30))
def test_no_split_leaks(name, seed, n_users):
    data = checkerboard(n_users, seed=seed)
    cut = split(data, name, Runtime(seed))
    parts = [pairs(cut.train), pairs(cut.validation.window), pairs(cut.test.window)]
    assert sum(map(len, parts)) == len(set.union(*parts))  # no event on both sides
    assert set.union(*parts) == pairs(data)  # and none lost
    for holdout in (cut.validation, cut.test):
        seen = holdout.queries().seen
        for row, truth in enumerate(holdout.truth):
            assert len(truth)
            assert not set(truth) & set(seen[row])


@given(seed=st.integers(0, 50))
def test_a_time_split_trains_on_the_past_only(seed):
    cut = time_split(checkerboard(seed=seed))
    assert cut.in_time
    assert cut.train.events.time.max() < cut.validation.window.events.time.min()
    assert cut.test.known.events.time.max() < cut.test.window.events.time.min()
    assert pairs(cut.test.known) == pairs(cut.train) | pairs(cut.validation.window)


def test_a_time_split_by_hand():
    data = log(*[(user, item, 10 * user + item, True) for user in range(2) for item in range(5)])  # times 0-4, 10-14
    cut = time_split(data, 0.2, 0.3)
    assert sorted(cut.test.window.events.time) == [12, 13, 14]
    assert sorted(cut.validation.window.events.time) == [10, 11]
    assert cut.validation.users.tolist() == [1]
    assert [row.tolist() for row in cut.test.truth] == [[2, 3, 4]]
    assert [row.tolist() for row in cut.test.queries().histories] == [[0, 1]]
    assert [row.tolist() for row in cut.validation.queries().histories] == [[]]  # a stranger until then


def test_events_of_one_moment_stay_together():
    cut = time_split(log(*[(user, item, float(item > 2), True) for user in range(4) for item in range(5)]), 0.1, 0.1)
    assert set(cut.test.window.events.time) == {1.0}
    assert len(cut.test.window.events) == 8
    assert len(cut.validation.window.events) == 0


def test_truth_is_what_was_liked_and_new_each_item_once():
    cut = leave_last_out(
        log((0, 1, 1, True), (0, 2, 2, True), (0, 3, 3, False), (1, 1, 1, True), (1, 2, 2, True), (1, 1, 3, True))
    )
    assert cut.test.users.tolist() == []  # user 0 disliked the last one, user 1 had it before
    assert cut.validation.users.tolist() == [0, 1]
    repeated = time_split(
        log(*[(0, item, item, True) for item in range(5)], (0, 9, 10, True), (0, 9, 11, True)), 0.1, 0.3
    )
    assert [row.tolist() for row in repeated.test.truth] == [[9]]


def test_leave_last_out_by_hand():
    cut = leave_last_out(
        log((0, 5, 1, True), (0, 6, 2, True), (0, 7, 3, True), (0, 8, 4, True), (3, 1, 9, True), (3, 2, 10, True))
    )
    assert pairs(cut.train) == {(0, 5, 1), (0, 6, 2), (3, 1, 9), (3, 2, 10)}
    assert cut.validation.truth[0].tolist() == [7]
    assert cut.test.truth[0].tolist() == [8]
    assert cut.test.queries().histories[0].tolist() == [5, 6, 7]


def test_random_per_user_takes_a_tenth_and_at_least_one():
    events = (
        [(0, item, item, True) for item in range(20)] + [(1, item, item, True) for item in range(3)] + [(2, 0, 0, True)]
    )
    cut = random_per_user(log(*events), np.random.default_rng(0))
    assert np.bincount(cut.train.events.user).tolist() == [16, 1, 1]
    assert np.bincount(cut.validation.window.events.user).tolist() == [2, 1]
    assert np.bincount(cut.test.window.events.user).tolist() == [2, 1]


def test_a_random_split_has_the_shares():
    cut = random_split(checkerboard(), np.random.default_rng(0), (0.5, 0.25, 0.25))
    assert [len(cut.train.events), len(cut.validation.window.events), len(cut.test.window.events)] == [120, 60, 60]


def test_cold_items_are_never_trained_on():
    data = log(*[(user, item, 10 * item + user, True) for user in range(10) for item in range(10)])
    by_time = cold_items_by_time(data, 0.2, 0.2)
    assert set(by_time.validation.truth.values) == {6, 7}
    assert set(by_time.test.truth.values) == {8, 9}
    held_out = cold_items_held_out(data, np.random.default_rng(0), 0.4)
    asked = set(held_out.test.truth.values) | set(held_out.validation.truth.values)
    assert len(asked) == 4
    assert not asked & set(held_out.train.events.item)


@pytest.mark.parametrize(
    ("clock", "name", "said"), [("order", "leave-last-out", "no times"), ("none", "random", "neither")]
)
def test_a_log_without_times_gets_another_split_and_says_so(clock, name, said):
    board = checkerboard()
    cut = split(replace(board, events=replace(board.events, clock=clock)))
    assert cut.name == name
    assert said in cut.notes[0]


def test_the_same_seed_gives_the_same_split():
    first, second, other = (split(checkerboard(), "random", Runtime(seed)) for seed in (1, 1, 2))
    assert pairs(first.train) == pairs(second.train) != pairs(other.train)


def test_what_cannot_be_split_says_so():
    with pytest.raises(ConfigError, match='"tomorrow" is not one of time, leave-last-out'):
        split(checkerboard(), "tomorrow")
    with pytest.raises(DataError, match="no times"):
        time_split(log((0, 1, 1, True), clock="none"))
    with pytest.raises(DataError, match="nothing is left to train on"):
        time_split(log((0, 1, 5, True), (1, 2, 5, True)))
    with pytest.raises(ConfigError, match="sum to 1"):
        random_split(checkerboard(), np.random.default_rng(0), (0.8, 0.3, 0.1))


@pytest.mark.parametrize("name", ["random", "random-per-user"])
def test_random_splits_train_as_on_a_log_without_times(name):
    cut = split(checkerboard(), name)
    assert cut.train.events.clock == "none"
    assert cut.test.known.events.clock == "time"
