"""Ranking in blocks: the same answers, never more than a block at once."""

import numpy as np
import pytest

from conftest import checkerboard
from evaluation.fakes import Watched, fit
from palate.data.split import leave_last_out
from palate.errors import ConfigError
from palate.evaluation.ranking import pair_scores, rank_candidates, rank_catalogue, sampled_candidates
from palate.types import NO_ITEM, Ragged


@pytest.fixture
def cut():
    return leave_last_out(checkerboard())


def test_blocks_bound_what_is_scored_at_once_and_change_nothing(cut, runtime):
    model, queries = Watched(fit("taste", cut.train, runtime)), cut.test.queries()
    small = rank_catalogue(model, queries, 5, runtime, block=7)
    assert max(model.sizes) <= 7
    whole = rank_catalogue(model, queries, 5, runtime)
    assert np.array_equal(small.items, whole.items)
    assert len(whole) == len(queries) == 40


def test_candidates_are_ranked_among_themselves(cut, runtime):
    grid = np.array([[4, 7, 2]] * len(cut.test), np.int32)
    grid[0, 1] = NO_ITEM
    slate = rank_candidates(fit("taste", cut.train, runtime), cut.test.queries(), grid, 2, runtime, block=3)
    assert slate.items[0].tolist() == [2, 4]
    assert slate.items[1].tolist() == [7, 2]  # user 1 likes odd items


def test_sampled_candidates_hold_the_answer_and_nothing_the_user_had(cut, runtime):
    asking = sampled_candidates(cut.test, 8, runtime.rng("c"), block=6)
    seen = cut.test.queries().seen
    for row, candidates in enumerate(asking.candidates):
        assert len(set(candidates)) == 9
        assert asking.truth[row].tolist() == cut.test.truth[row][:1].tolist()
        assert asking.truth[row][0] in candidates
        assert not set(candidates) & set(seen[row])
    places = np.argmax(asking.candidates == asking.truth.values[:, None], axis=1)
    assert len(set(places.tolist())) > 3  # the answer has no favourite place


def test_more_candidates_than_free_items_says_so(cut, runtime):
    with pytest.raises(ConfigError, match="candidates: 99 is more than the 14 items"):
        sampled_candidates(cut.test, 99, runtime.rng("c"))


def test_pair_scores_come_back_in_the_order_asked(cut, runtime):
    model, queries = fit("popular", cut.train, runtime), cut.test.queries()
    items = Ragged.of([[5, 2, 9], [], [1], *[[0]] * (len(queries) - 3)])
    counts = np.bincount(cut.train.events.item, minlength=20)
    assert pair_scores(model, queries, items, runtime).tolist() == counts[items.values].tolist()
