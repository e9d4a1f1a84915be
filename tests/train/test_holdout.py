"""Likes held out of the training data."""

import numpy as np

from palate.train.holdout import hold_out, pretend_cold
from retrieve.fakes import dataset


def held_out(data, n_people=10, seed=0):
    rest, queries, targets = hold_out(data, n_people, np.random.default_rng(seed))
    return rest, dict(zip(queries.users.tolist(), targets.tolist(), strict=True)), queries


def test_the_last_like_is_held_out_and_known_to_nobody():
    data = dataset([[0, 1, 2, 3], [3, 2, 1]], 5, disliked={(0, 3)})
    rest, targets, queries = held_out(data)
    assert targets == {0: 2, 1: 1}  # what was disliked is no target
    assert [row.tolist() for row in rest.histories()] == [[0, 1], [3, 2]]
    assert {int(user): row.tolist() for user, row in zip(queries.users, queries.seen, strict=True)} == {
        0: [0, 1, 3],
        1: [3, 2],
    }


def test_people_with_two_likes_or_a_repeated_last_one_teach_nothing():
    _, targets, _ = held_out(dataset([[0, 1], [0, 1, 2], [0, 1, 0], []], 3))
    assert targets == {1: 2}


def test_no_more_people_than_asked_for_lose_a_like():
    data = dataset([[0, 1, 2]] * 9, 3)
    rest, targets, _ = held_out(data, n_people=4)
    assert len(targets) == 4
    assert len(rest.events) == 9 * 3 - 4


def test_without_an_order_any_like_may_be_held_out():
    data = dataset([[0, 1, 2, 3]] * 30, 4, clock="none")
    _, targets, _ = held_out(data, n_people=30)
    assert set(targets.values()) == {0, 1, 2, 3}
    assert held_out(data, n_people=30)[1] == targets


def test_pretended_cold_items_lose_all_their_events():
    data = dataset([[item, (item + 1) % 20, (item + 2) % 20] for item in range(20)], 22)
    rest, cold, newest = pretend_cold(data, 0.25, 99, np.random.default_rng(0))
    assert cold.sum() == 5
    assert not cold[20:].any()  # these have no events to lose
    assert not cold[rest.events.item].any()
    assert len(rest.events) == 60 - 15
    last = (newest.queries.users + 2) % 20
    assert newest.targets.tolist() == last.tolist()  # each lost the newest like, and is asked with what is left
    assert cold[newest.targets].all()
    left = [[int(item) for item in (user, (user + 1) % 20) if not cold[item]] for user in newest.queries.users]
    assert [row.tolist() for row in newest.queries.histories] == left
    assert all(left)
    lost_newest = [user for user in range(20) if cold[(user + 2) % 20] and not (cold[user] and cold[(user + 1) % 20])]
    assert sorted(newest.queries.users.tolist()) == lost_newest
    assert len(pretend_cold(data, 0.25, 2, np.random.default_rng(0))[2].targets) == 2
