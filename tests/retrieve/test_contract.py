"""What every retriever promises (palate.contracts.Retriever); runs on all that palate.retrieve holds."""

import importlib
import pkgutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import palate.retrieve
from conftest import checkerboard
from palate import store
from palate.contracts import Retriever
from palate.data.dataset import IdMap
from palate.errors import NotFittedError
from palate.retrieve.dense import Dense
from palate.retrieve.ease import EASE
from palate.retrieve.fuse import Fused, FusedConfig
from palate.retrieve.ials import IALS
from palate.retrieve.lexical import Lexical
from palate.retrieve.neighbours import ItemKNN
from palate.retrieve.popular import Popular
from palate.retrieve.sequence import Sequence
from palate.retrieve.transition import Transition
from palate.runtime import Runtime
from palate.train.sequence import SequenceTrainer, SequenceTrainerConfig
from palate.types import NO_ITEM, STRANGER, Queries, Ragged, Slate
from retrieve.fakes import WordEncoder, asking

BOARD = checkerboard()
COLD = (18, 19)  # texts, but no events
MEMBERS = (Popular(), Transition(), ItemKNN(), EASE(), IALS(), Lexical(), Dense(encoder=WordEncoder()))
TINY = SequenceTrainerConfig(dim=8, layers=1, heads=1, epochs=8, batch=32, id_dropout=0.3, learning_rate=0.02)
MADE: dict[str, Retriever] = {
    **{type(member).__name__: member for member in MEMBERS},
    "Sequence": SequenceTrainer(TINY, encoder=WordEncoder()),
    "Fused": Fused(members=MEMBERS, weights=(0, 1, 1, 2, 1, 1, 1), tells=(1, 2, 3, 4, 5, 6)),
    "Fused-ranks": Fused(FusedConfig(method="reciprocal-ranks"), members=MEMBERS),
}
NAMES = ["Dense", "EASE", "Fused", "IALS", "ItemKNN", "Lexical", "Popular", "Sequence", "Transition"]


def retrievers() -> list[str]:
    """The classes of palate.retrieve that score and retrieve."""
    names = [f"palate.retrieve.{found.name}" for found in pkgutil.iter_modules(palate.retrieve.__path__)]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    inside = {value for value in values if isinstance(value, type) and value.__module__ in names}
    return sorted(kind.__name__ for kind in inside if {"scores", "retrieve"} <= set(dir(kind)))


@pytest.fixture(scope="module", params=list(MADE))
def retriever(request) -> Any:
    return MADE[request.param].fit(BOARD, Runtime(seed=0))


@pytest.fixture(scope="module")
def mixed() -> Queries:
    """Known people, strangers with a history, with a wish, with both, with nothing."""
    known = BOARD.queries(np.arange(6))
    others = asking([1, 3], [], [0, 2], [], [18], wishes=["", "distant planets", "wedding cakes", "", ""])
    return Queries(
        np.concatenate([known.users, others.users]),
        Ragged.of([*known.histories, *others.histories]),
        Ragged.of([*known.seen, *others.seen]),
        known.wishes + others.wishes,
    )


def kinds(value: Any) -> dict[str, type]:
    """The dataclasses inside a retriever, by name."""
    found = {type(value).__name__: type(value), "IdMap": IdMap}
    inside = [getattr(value, name) for name in getattr(value, "__dataclass_fields__", {})]
    for one in [*inside, *(member for part in inside if isinstance(part, tuple) for member in part)]:
        if hasattr(one, "__dataclass_fields__"):
            found |= kinds(one)
    return found


def roomy(retriever: Any) -> float:
    """What the last bit of a sum may move; where only ranks count, near ties that change four places."""
    ranked = isinstance(retriever, Fused) and retriever.config.method == "reciprocal-ranks"
    return 4 * (1 / 61 - 1 / 62) / len(MEMBERS) if ranked else 1e-5


def test_no_retriever_is_left_out():
    assert retrievers() == NAMES
    assert sorted({name.split("-")[0] for name in MADE}) == NAMES


def test_items_are_distinct_and_the_best_come_first(retriever, mixed):
    slate = retriever.retrieve(mixed, 5)  # a Slate checks distinct items and falling scores
    assert slate.items.shape == (len(mixed), 5)
    assert (slate.items != NO_ITEM).all()


def test_the_slate_is_the_top_of_the_scores(retriever, mixed):
    scores = retriever.scores(mixed)
    assert scores.shape == (len(mixed), BOARD.n_items)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    for row, shown in enumerate(retriever.retrieve(mixed, 5).items):
        unseen = np.setdiff1d(np.arange(BOARD.n_items), mixed.seen[row])
        assert shown.tolist() == unseen[np.argsort(-scores[row, unseen], kind="stable")][:5].tolist()


def test_what_was_seen_is_never_returned(retriever, mixed):
    slate = retriever.retrieve(mixed, BOARD.n_items)
    for seen, shown in zip(mixed.seen, slate.items, strict=True):
        assert not np.isin(shown, seen).any()


def test_only_eligible_items_are_returned(retriever, mixed):
    eligible = np.zeros(BOARD.n_items, np.bool_)
    eligible[[2, 5, 19]] = True
    shown = retriever.retrieve(replace(mixed, eligible=eligible), 3).items
    assert set(shown.ravel().tolist()) <= {2, 5, 19, NO_ITEM}
    assert (shown[8] != NO_ITEM).sum() == 2  # has seen item 2


def test_a_list_longer_than_the_catalogue_holds_everything_unseen(retriever, mixed):
    slate = retriever.retrieve(mixed, 1000)
    assert slate.k == BOARD.n_items
    seen = np.array([len(np.unique(row)) for row in mixed.seen])
    assert ((slate.items != NO_ITEM).sum(axis=1) == BOARD.n_items - seen).all()


def test_a_batch_answers_as_its_members_do_alone(retriever, mixed):
    alone = np.vstack([retriever.scores(one) for one in mixed.blocks(1)])
    np.testing.assert_allclose(retriever.scores(mixed), alone, atol=roomy(retriever))


def test_permuted_requests_get_permuted_answers(retriever, mixed):
    order = np.random.default_rng(3).permutation(len(mixed))
    scores = retriever.scores(mixed)
    np.testing.assert_allclose(retriever.scores(mixed.take(order)), scores[order], atol=roomy(retriever))


def test_more_requests_than_a_block_are_all_answered(retriever):
    many = BOARD.queries(np.tile(np.arange(40), 4))
    shown = retriever.retrieve(many, 3).items
    assert (shown[120:] == shown[:40]).all()


def test_the_same_seed_gives_the_same_scores(retriever, mixed, request):
    again = MADE[request.node.callspec.params["retriever"]].fit(BOARD, Runtime(seed=0))
    assert (again.scores(mixed) == retriever.scores(mixed)).all()


def test_save_and_load_change_nothing(retriever, mixed, tmp_path):
    store.save(tmp_path / "model", retriever, {})
    loaded = store.load(tmp_path / "model", kinds(retriever))
    assert type(loaded) is type(retriever)
    assert (loaded.scores(mixed) == retriever.scores(mixed)).all()
    assert (loaded.retrieve(mixed, 5).items == retriever.retrieve(mixed, 5).items).all()


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_retriever_that_was_not_fitted_says_so(made, mixed):
    with pytest.raises(NotFittedError, match=type(made).__name__):
        made.retrieve(mixed, 3)


def test_no_requests_get_no_lists(retriever, mixed):
    none = mixed.take(np.zeros(0, np.int64))
    assert retriever.scores(none).shape == (0, BOARD.n_items)
    assert retriever.retrieve(none, 3).items.shape == (0, 3)


def test_a_stranger_without_anything_still_gets_a_list(retriever):
    slate = retriever.retrieve(asking([]), 4)
    assert (slate.items != NO_ITEM).all()


def test_a_retriever_without_popularity_says_nothing_to_a_stranger(retriever):
    scores = retriever.scores(asking([]))
    assert (scores.min() < scores.max()) == ("popularity" in retriever.reads)


def test_a_history_of_items_without_events_is_no_error(retriever):
    assert np.isfinite(retriever.scores(asking([18], [19, 18]))).all()


def test_everybody_gets_their_own_taste_first(retriever):
    if "history" not in retriever.reads:
        pytest.skip("reads no history")
    queries = BOARD.queries(np.arange(BOARD.n_users))
    shown = retriever.retrieve(queries, 2).items  # three items of the own taste are left
    assert (shown % 2 == queries.users[:, None] % 2).all()


def test_a_new_person_is_read_by_history_alone(retriever):
    if "history" not in retriever.reads:
        pytest.skip("reads no history")
    known = BOARD.queries(np.arange(4))
    stranger = replace(known, users=np.full(4, STRANGER, np.int32))
    np.testing.assert_allclose(retriever.scores(stranger), retriever.scores(known), atol=1e-6)


def test_a_cold_item_is_found_by_its_text(retriever):
    if "text" not in retriever.reads:
        pytest.skip("reads no text")
    if isinstance(retriever, Sequence):
        pytest.skip("finds what comes after a text, not what matches it")
    shown = retriever.retrieve(asking(wishes=["space ships, volume 18", "wedding cakes, volume 19"]), 1).items
    assert shown[:, 0].tolist() == list(COLD)


def test_only_the_given_candidates_are_ranked_seen_or_not(retriever, mixed):
    among = np.tile(np.array([[5, 0, 17, NO_ITEM]], np.int32), (len(mixed), 1))
    slate = retriever.retrieve(mixed, 3, among)
    expected = Slate.best(among, np.take_along_axis(retriever.scores(mixed), np.maximum(among, 0), axis=1), 3)
    assert slate.items.tolist() == expected.items.tolist()
    assert (np.sort(slate.items, axis=1) == [0, 5, 17]).all()
