"""Contrastive examples: nothing from the future, no false negatives, the same every time."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.retrieve.neighbours import ItemKNN
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.train.pairs import PairsConfig, pairs
from palate.types import NO_ITEM


def made(data, seed=0, told=None, retriever=Popular, **options):
    told = np.ones(data.n_items, np.bool_) if told is None else told
    runtime = Runtime(seed=seed)
    return pairs(data, retriever().fit(data, runtime), told, PairsConfig(**options), runtime)


def test_a_history_is_what_was_liked_strictly_before_the_target(board):
    found = made(board, per_user=100)
    assert len(found) == board.n_users * 5
    for user, history, item in zip(found.users, found.histories, found.items, strict=True):
        own = board.histories()[user].tolist()
        assert history.tolist() == own[: own.index(item)]


def test_likes_at_the_same_time_do_not_know_of_each_other(board):
    events = replace(board.events, time=np.repeat(np.arange(len(board.events) // 3), 3).astype(np.float64))
    found = made(replace(board, events=events), per_user=100)
    assert len(found) == board.n_users * 3
    assert set(found.histories.lengths) == {3}


def test_an_item_liked_again_is_no_target(board):
    events = replace(board.events, item=board.histories().take(np.repeat(np.arange(40), 1)).values // 2 * 0 + 4)
    assert len(made(replace(board, events=events))) == 0


def test_no_order_is_an_order_by_chance(board):
    events = replace(board.events, clock="none", time=np.zeros(len(board.events)))
    found = made(replace(board, events=events), per_user=100)
    assert len(found) == board.n_users * 5
    own = [board.histories()[user].tolist() for user in found.users]
    assert any(history.tolist() != rest[: len(history)] for history, rest in zip(found.histories, own, strict=True))


def test_of_one_user_and_in_all_there_are_at_most_so_many(board):
    assert np.bincount(made(board, per_user=2).users).tolist() == [2] * board.n_users
    assert len(made(board, pairs=7)) == 7


def test_hard_negatives_are_the_retrievers_and_never_what_the_user_has_had():
    data = checkerboard()
    data = replace(data, events=replace(data.events, liked=np.arange(len(data.events)) % 3 > 0))
    found = made(data, retriever=ItemKNN, hard_negatives=3, per_user=100)
    had = data.histories(liked_only=False)
    assert (found.hard != NO_ITEM).all()
    assert not any(
        set(row.tolist()) & set(had[user].tolist()) for user, row in zip(found.users, found.hard, strict=True)
    )
    assert all(len(set(row.tolist())) == 3 for row in found.hard)
    same_taste = (found.hard % 2) == (found.users % 2)[:, None]
    assert made(data, retriever=ItemKNN, hard_negatives=1, mined=1).hard.shape[1] == 1
    assert same_taste.mean() > 0.15  # drawn from a list on which the own taste's unseen items stand first
    first = made(data, retriever=ItemKNN, hard_negatives=1, mined=1)
    assert ((first.hard[:, 0] % 2) == first.users % 2).all()


def test_where_too_few_are_found_places_stay_empty():
    data = checkerboard(n_items=8, per_user=3)
    found = made(data, hard_negatives=9)
    assert found.hard.shape == (len(found), 9)
    assert ((found.hard != NO_ITEM).sum(axis=1) == 5).all()


def test_items_without_text_are_neither_targets_nor_negatives(board):
    told = np.arange(board.n_items) >= 6
    found = made(board, told=told, hard_negatives=2, per_user=100)
    assert told[found.items].all()
    assert told[found.hard].all()
    assert all(told[history].any() for history in found.histories)


def test_a_batch_holds_an_item_once_and_an_epoch_holds_every_example(board):
    found = made(board, per_user=100)
    batches = list(found.batches(8, np.random.default_rng(0)))
    assert len(batches) == found.n_batches(8) == 25
    assert all(len(set(found.items[rows])) == len(rows) <= 8 for rows in batches)
    rows = np.concatenate(batches)
    assert len(set(rows)) == len(rows) >= 0.97 * len(found)
    assert not np.array_equal(rows, np.concatenate(list(found.batches(8, np.random.default_rng(1)))))


def test_what_another_rows_user_likes_is_marked(board):
    found = made(board)
    rows = next(iter(found.batches(8, np.random.default_rng(0))))
    own = [set(board.histories()[user].tolist()) for user in found.users[rows]]
    expected = [[int(item) in likes for item in found.items[rows]] for likes in own]
    assert found.clash(rows).tolist() == expected
    assert found.clash(rows).diagonal().all()


def test_how_often_an_item_is_met_is_counted(board):
    found = made(board, per_user=100)
    seen = np.zeros(board.n_items)
    for epoch in range(20):
        for rows in found.batches(8, np.random.default_rng(epoch)):
            seen[found.items[rows]] += 1
    expected = np.exp(found.log_expected(8))[seen > 0]
    np.testing.assert_allclose(seen[seen > 0] / 20 / 25, expected, atol=0.05)


@pytest.mark.parametrize("field", ["users", "items", "hard"])
def test_the_seed_alone_decides(board, field):
    first, again, other = made(board, seed=1), made(board, seed=1), made(board, seed=2)
    assert np.array_equal(getattr(first, field), getattr(again, field))
    assert not np.array_equal(getattr(first, field), getattr(other, field))
