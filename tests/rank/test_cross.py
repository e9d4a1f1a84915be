"""The ranker that reads person and item: same items, nobody's order touched without reason, saved and refused."""

from dataclasses import replace

import numpy as np
import pytest

from palate import store
from palate.errors import AssetError, StoreError
from palate.rank.cross import CrossEncoder, CrossEncoderConfig, standardised
from palate.tuning.methods import MethodConfig
from palate.types import NO_ITEM, Queries, Ragged, Signals, Slate
from tiny import tiny_bert

KINDS = {kind.__name__: kind for kind in (CrossEncoder, CrossEncoderConfig, MethodConfig)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def ranker(folder, board):
    """Its head is random, so that it has opinions."""
    made = CrossEncoder(CrossEncoderConfig(model=folder, dtype="fp32")).identified().about(board.items)
    head = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    return replace(made, weights_={"head.weight": head, "trust": np.zeros(1, np.float32)})


@pytest.fixture
def asked(board):
    queries = board.queries(np.arange(4))
    items = np.array([[0, 1, 2, 3], [4, 5, 6, NO_ITEM], [7, 8, 9, 10], [11, 12, 13, 14]], np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, np.arange(8, 4, -1)).astype(np.float32)
    return queries, Slate(items, scores)


def test_the_same_items_come_in_another_order(ranker, asked):
    queries, slate = asked
    ranked = ranker.rank(queries, slate)
    assert (np.sort(ranked.items, axis=1) == np.sort(slate.items, axis=1)).all()
    assert (ranked.items != slate.items).any()


def test_a_batch_answers_as_its_members_do_alone(ranker, asked):
    queries, slate = asked
    together = ranker.rank(queries, slate)
    for row in range(len(slate)):
        alone = ranker.rank(queries.take(slice(row, row + 1)), slate.take(np.array([row])))
        assert (alone.items[0] == together.items[row]).all()
        np.testing.assert_allclose(alone.scores[0], together.scores[row], atol=1e-4)


def test_the_size_of_a_batch_changes_nothing(ranker, asked):
    small = replace(ranker, config=replace(ranker.config, batch_tokens=1))
    np.testing.assert_allclose(small.rank(*asked).scores, ranker.rank(*asked).scores, atol=1e-4)


def test_wishes_and_strangers_keep_their_order(ranker, asked):
    queries, slate = asked
    wishing = replace(queries, wishes=("space", "", "", ""))
    silent = Queries(wishing.users, Ragged(*_without_second(wishing)), wishing.seen, wishing.wishes)
    ranked = ranker.rank(silent, slate)
    assert (ranked.items[:2] == slate.items[:2]).all()
    assert (ranked.scores[:2] == slate.scores[:2]).all()
    assert (ranked.items[2:] != slate.items[2:]).any()


def _without_second(queries):
    rows = [[] if row == 1 else list(history) for row, history in enumerate(queries.histories)]
    made = Ragged.of(rows)
    return made.values, made.offsets


def test_an_untrained_ranker_keeps_every_order(ranker, asked):
    assert replace(ranker, weights_={}).rank(*asked) is asked[1]


def test_with_trust_alone_the_order_is_the_slates(ranker, asked):
    trusting = replace(ranker, weights_={"trust": np.full(1, 2.0, np.float32)})
    ranked = trusting.rank(*asked)
    assert (ranked.items == asked[1].items).all()
    real = asked[1].items != NO_ITEM
    np.testing.assert_allclose(ranked.scores[real], 2 * standardised(asked[1])[real], atol=1e-5)


def test_only_the_first_candidates_are_read(ranker, asked):
    queries, slate = asked
    short = replace(ranker, config=replace(ranker.config, candidates=2))
    ranked = short.rank(queries, slate)
    assert (np.sort(ranked.items[:, :2], axis=1) == np.sort(slate.items[:, :2], axis=1)).all()
    assert (ranked.items[:, 2:] == slate.items[:, 2:]).all()
    assert (ranked.scores[:, :2] == short.rank(queries, slate.top(2)).scores).all()


def test_weights_without_a_place_are_refused(ranker):
    other = replace(ranker, weights_={"head.weight": np.zeros((1, 8), np.float32)})
    with pytest.raises(StoreError, match=r"no place for its weights head\.weight"):
        other.open()


def test_signals_follow_their_items(ranker, asked):
    queries, slate = asked
    told = Signals(("row",), slate.items[:, :, None].astype(np.float32))
    ranked = ranker.rank(queries, Slate(slate.items, slate.scores, told))
    assert (ranked.signals.values[:, :, 0] == ranked.items).all()


def test_save_and_load_change_nothing(ranker, asked, tmp_path):
    store.save(tmp_path / "saved", ranker, {})
    loaded = store.load(tmp_path / "saved", KINDS)
    assert (loaded.rank(*asked).scores == ranker.rank(*asked).scores).all()


def test_another_model_behind_the_name_is_refused(folder, ranker, asked, tmp_path):
    other = replace(ranker, config=replace(ranker.config, model=tiny_bert(tmp_path / "other", seed=1)))
    with pytest.raises(AssetError, match=r"not the model that this ranker was trained with.*train the ranker again"):
        other.rank(*asked)


def test_a_folder_without_a_transformer_is_an_asset_error(ranker, asked, tmp_path):
    made = CrossEncoder(CrossEncoderConfig(model=str(tmp_path))).identified()
    with pytest.raises(AssetError, match="no transformer can be loaded from it"):
        made.scores(["a"], ["b"], np.zeros(1, np.float32))


def test_no_pairs_get_no_scores(ranker):
    assert ranker.scores([], [], np.zeros(0, np.float32)).shape == (0,)
