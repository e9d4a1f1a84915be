"""Weights learned from held-out likes."""

import numpy as np
import pytest

from palate.retrieve.blend import conditional_logit, hold_out
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


def test_the_logit_finds_the_weights_that_made_the_choices():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 8, 3))
    chance = np.exp(features @ np.array([1.5, 0.5, 0.0]))
    chance /= chance.sum(axis=1, keepdims=True)
    chosen = [rng.choice(8, p=row) for row in chance]
    for row, place in enumerate(chosen):
        features[row, [0, place]] = features[row, [place, 0]]
    found = conditional_logit(features.astype(np.float32), np.ones((4000, 8), np.bool_))
    assert found == pytest.approx([0.75, 0.25, 0.0], abs=0.03)


def test_a_misleading_retriever_gets_no_weight():
    rng = np.random.default_rng(1)
    good = rng.normal(size=(200, 5))
    good[:, 0] += 1
    features = np.stack([good, -good], axis=2).astype(np.float32)
    assert conditional_logit(features, np.ones((200, 5), np.bool_)).tolist() == [1, 0]


def test_padding_is_not_a_candidate():
    features = np.array([[[1, 0], [0, 1], [99, 0]]], np.float32)
    assert conditional_logit(features, np.array([[True, True, False]]))[0] == pytest.approx(1)


def test_no_examples_leave_equal_weights():
    assert conditional_logit(np.zeros((0, 3, 4), np.float32), np.zeros((0, 3), np.bool_)).tolist() == [0.25] * 4
