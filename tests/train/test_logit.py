"""The conditional logit finds the weights that made the choices."""

import numpy as np
import pytest

from palate.train.logit import conditional_logit


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
