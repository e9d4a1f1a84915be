"""Labelled pairs: the rules that only count, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.data.split import time_split
from palate.evaluation.pairs import Pairs, judged, labelled_pairs, liked_share_rule, mean_rule


def events(rows):
    user, item, value = (np.array(column) for column in zip(*rows, strict=True))
    empty = checkerboard().events
    return replace(
        empty,
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        value=value.astype(np.float32),
        liked=value > 3,
        time=np.arange(len(rows)) * 1.0,
    )


LOG = events([(0, 0, 5), (0, 1, 1), (1, 0, 3)])  # item means 4, 1; user means 3, 3; overall 3


def test_the_rules_by_hand():
    pairs = Pairs(np.array([0, 0, 7], np.int32), np.array([0, 1, 9], np.int32), np.array([True, False, True]))
    assert mean_rule(LOG, pairs).tolist() == [7, 4, 6]
    assert liked_share_rule(LOG, pairs) == pytest.approx([1 / 2, 1 / 2, 1 / 3])


def test_pairs_have_their_last_label_and_both_labels():
    cut = time_split(checkerboard())
    window = replace(cut.test.window, events=events([(0, 2, 5), (0, 2, 1), (0, 4, 5), (1, 1, 2)]))
    pairs = labelled_pairs(replace(cut.test, window=window))
    assert list(zip(pairs.user.tolist(), pairs.item.tolist(), pairs.liked.tolist(), strict=True)) == [
        (0, 2, False),
        (0, 4, True),
        (1, 1, False),
    ]
    assert len(labelled_pairs(cut.test)) == 0  # everything on the board is liked


def test_a_recipe_is_set_against_the_best_rule(runtime):
    users = np.repeat(np.arange(50, dtype=np.int32), 2)
    labels = np.tile([True, False], 50)
    right, level = np.tile([1.0, 0.0], 50).astype(np.float32), np.zeros(100, np.float32)
    pairs = Pairs(users, np.tile([0, 1], 50).astype(np.int32), labels)
    found = {one.name: one for one in judged(pairs, {"model": right}, {"good": level, "bad": -right}, runtime)}
    assert found["model"].over_rule.mean == pytest.approx(0.5)
    assert (found["bad"].uauc.mean, found["bad"].is_rule) == (0.0, True)
