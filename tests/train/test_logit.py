"""The conditional logit finds the weights that made the choices."""

import numpy as np
import pytest

from palate.train.logit import conditional_logit


def weights(features, real):
    return conditional_logit(features, real, np.zeros_like(real)).own


def test_the_logit_finds_the_weights_that_made_the_choices():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 8, 3))
    chance = np.exp(features @ np.array([1.5, 0.5, 0.0]))
    chance /= chance.sum(axis=1, keepdims=True)
    chosen = [rng.choice(8, p=row) for row in chance]
    for row, place in enumerate(chosen):
        features[row, [0, place]] = features[row, [place, 0]]
    found = weights(features.astype(np.float32), np.ones((4000, 8), np.bool_))
    assert found == pytest.approx([0.75, 0.25, 0.0], abs=0.03)


def test_a_misleading_retriever_gets_no_weight():
    rng = np.random.default_rng(1)
    good = rng.normal(size=(200, 5))
    good[:, 0] += 1
    features = np.stack([good, -good], axis=2).astype(np.float32)
    assert weights(features, np.ones((200, 5), np.bool_)).tolist() == [1, 0]


def test_padding_is_not_a_candidate():
    features = np.array([[[1, 0], [0, 1], [99, 0]]], np.float32)
    assert weights(features, np.array([[True, True, False]]))[0] == pytest.approx(1)


def test_no_examples_leave_equal_weights():
    assert weights(np.zeros((0, 3, 4), np.float32), np.zeros((0, 3), np.bool_)).tolist() == [0.25] * 4


def test_cold_candidates_have_weights_and_a_shift_of_their_own():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(6000, 8, 2))
    cold = np.tile(np.arange(8) >= 5, (6000, 1))
    logits = np.where(cold, features @ np.array([0.2, 1.8]) - 1, features @ np.array([1.5, 0.5]))
    chance = np.exp(logits)
    chance /= chance.sum(axis=1, keepdims=True)
    for row in range(6000):
        place = rng.choice(8, p=chance[row])
        features[row, [0, place]] = features[row, [place, 0]]
        cold[row, [0, place]] = cold[row, [place, 0]]
    found = conditional_logit(features.astype(np.float32), np.ones_like(cold), cold)
    assert found.own == pytest.approx([0.75, 0.25], abs=0.04)
    assert found.cold == pytest.approx([0.1, 0.9], abs=0.06)
    assert found.shift == pytest.approx(-0.5, abs=0.06)


def test_without_a_cold_answer_cold_candidates_are_as_the_others():
    features = np.random.default_rng(3).normal(size=(50, 6, 2)).astype(np.float32)
    real, cold = np.ones((50, 6), np.bool_), np.tile(np.arange(6) == 5, (50, 1))
    found = conditional_logit(features, real, cold)
    assert found.own.tolist() == weights(features, real).tolist()
    assert (found.cold, found.shift) == (None, 0)
