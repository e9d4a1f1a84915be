"""The transition rule by hand, and against a plain loop."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.retrieve.transition import Transition, TransitionConfig
from retrieve.fakes import asking, dataset

PLAIN = {"fading": 1.0, "backward": 0.0, "damping": 0.0, "target_damping": 0.0}


def scores(runtime, likes, history, **options):
    rule = Transition(TransitionConfig(**{**PLAIN, **options})).fit(dataset(likes, 4), runtime)
    return rule.scores(asking(history))[0].tolist()


def test_what_came_next_is_counted(runtime):
    strength = Transition(TransitionConfig(**PLAIN)).fit(dataset([[0, 1, 2], [0, 2]], 4), runtime).strength_
    assert strength.toarray().tolist() == [[0, 1, 2, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("options", "to_1", "to_2"),
    [
        pytest.param({}, 1, 1, id="plain"),
        pytest.param({"fading": 0.5}, 1, 0.5, id="a-step-further-counts-half"),
        pytest.param({"window": 1}, 1, 0, id="only-the-next"),
        pytest.param({"damping": 1.0}, 1 / 2, 1 / 2, id="less-for-an-item-often-left"),
        pytest.param({"target_damping": 1.0}, 1 / 1, 1 / 1, id="reached-once"),
    ],
)
def test_options_match_hand_arithmetic(runtime, options, to_1, to_2):
    rule = Transition(TransitionConfig(**{**PLAIN, **options})).fit(dataset([[0, 1, 2], [0]], 4), runtime)
    assert rule.strength_.toarray()[0, [1, 2]] == pytest.approx([to_1, to_2])


def test_the_way_back_counts_as_told(runtime):
    rule = Transition(TransitionConfig(**{**PLAIN, "backward": 0.25})).fit(dataset([[0, 1]], 2), runtime)
    assert rule.strength_.toarray().tolist() == [[0, 1], [0.25, 0]]


def test_the_newest_item_is_heard_loudest(runtime):
    likes = [[0, 2], [1, 3]]
    assert scores(runtime, likes, [0, 1], decay=0.5)[2:] == pytest.approx([0.5, 1])
    assert scores(runtime, likes, [1, 0], decay=0.5)[2:] == pytest.approx([1, 0.5])


def test_an_item_that_repeats_does_not_lead_to_itself(runtime):
    rule = Transition(TransitionConfig(**PLAIN)).fit(dataset([[0, 0, 1]], 2), runtime)
    assert rule.strength_.toarray().tolist() == [[0, 2], [0, 0]]


def test_a_log_without_order_says_nothing_but_does_not_fail(runtime):
    board = checkerboard(seed=1)
    unordered = replace(board, events=replace(board.events, clock="none"))
    rule = Transition().fit(unordered, runtime)
    assert rule.strength_.nnz == 0
    assert not rule.scores(unordered.queries(np.arange(3))).any()


def test_it_agrees_with_a_plain_loop(runtime):
    board = checkerboard(seed=5)
    config = TransitionConfig(neighbours=0)
    expected = np.zeros((board.n_items, board.n_items))
    histories = board.histories()
    for history in histories:
        for place, a in enumerate(history):
            for distance, b in enumerate(history[place + 1 : place + 1 + config.window]):
                expected[a, b] += config.fading**distance
                expected[b, a] += config.fading**distance * config.backward
    counts = np.maximum(np.bincount(histories.values, minlength=board.n_items), 1)
    expected /= counts[:, None] ** config.damping * counts**config.target_damping
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(Transition(config).fit(board, runtime).strength_.toarray(), expected, rtol=1e-5)
