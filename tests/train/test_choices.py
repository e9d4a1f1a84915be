"""Choices that weights are learned from, and further ones among items that play cold ones."""

from dataclasses import dataclass

import numpy as np
import pytest

from palate.train.choices import Choices, among_cold
from retrieve.fakes import asking


@dataclass(frozen=True)
class Told:
    """Scores everybody's items alike."""

    values: tuple

    def scores(self, queries):
        return np.tile(np.array(self.values, np.float32), (len(queries), 1))


def choices(n, n_cold, width=6, right=None):
    """Requests whose candidates have noise for features; in the first `n_cold` of them the last two and the answer play
    cold ones. right: the member that scores every answer highest."""
    features = np.random.default_rng(n).normal(size=(n, width, 2)).astype(np.float32)
    if right is not None:
        features[:, 0, right] = features[:, :, right].max(axis=1) + 1
    cold = np.zeros((n, width), np.bool_)
    cold[:, -2:] = True
    cold[:n_cold, 0] = True
    return Choices(features, np.ones((n, width), np.bool_), cold, np.arange(n))


@pytest.mark.parametrize("width", [4, 6, 9])
def test_further_choices_weigh_cold_items_and_nothing_else(width):
    few, many = choices(60, 30, right=0), choices(400, 400, width, right=1)
    many.cold[:] = True
    before, after = few.weights(), few.joined_by(many).weights()
    assert before.cold[0] > 3 * before.cold[1]
    assert after.cold[1] > 3 * before.cold[1]
    assert before.own[0] > 0.8
    assert after.own[0] > 0.8


def test_they_teach_whatever_requests_are_learned_from():
    joined = choices(80, 40).joined_by(choices(400, 400, right=1))
    half = joined.weights(np.arange(60))
    assert half.cold[1] > 3 * half.cold[0]


def test_alone_they_give_cold_items_no_weights():
    """They do not tell how often a newcomer is chosen at all."""
    assert choices(60, 19).joined_by(choices(400, 400, right=1)).weights().cold is None


def test_among_cold_items_the_best_of_every_member_are_the_others():
    members = (Told((5, 4, 3, 2, 1, 0)), Told((0, 1, 2, 3, 4, 5)))
    cold = np.array([True, False, True, True, False, True])
    found = among_cold(members, asking([1], [4]), np.array([2, 5], np.int32), cold)
    assert found.real.sum(axis=1).tolist() == [4, 4]
    assert (found.cold == found.real).all()
    assert found.rows.tolist() == [0, 1]
    first = found.features[0, 0]
    assert first[0] == pytest.approx(0.5 / np.std(np.arange(6)), abs=1e-3)  # item 2, half a point above the mean
