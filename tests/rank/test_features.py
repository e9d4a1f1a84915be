"""Trees over what retrievers say: what they learn and leave alone; training and serving read the same."""

from dataclasses import replace

import numpy as np
import pytest

from palate.errors import ContractError, NotFittedError
from palate.rank import features as module
from palate.rank.features import FeatureRanker, FeatureRankerConfig, features
from palate.types import NO_ITEM, Slate
from retrieve.fakes import asking

SMALL = FeatureRankerConfig(trees=30, leaves=4, least=5, boosters=2)


def lesson(n=200, width=10, seed=0):
    """Requests whose liked candidate is the one with the largest second signal; the first is noise."""
    rng = np.random.default_rng(seed)
    signals = rng.normal(size=(n, width, 2)).astype(np.float32)
    items = np.tile(np.arange(width, dtype=np.int32), (n, 1))
    slate = Slate(items, np.tile(-np.arange(width, dtype=np.float32), (n, 1)), signals)
    return asking(*[[11]] * n), slate, signals[:, :, 1].argmax(axis=1).astype(np.int32)


@pytest.fixture(scope="module")
def ranker():
    return FeatureRanker(SMALL).learn(*lesson(), seed=0)


def test_what_made_people_like_is_learned(ranker):
    queries, slate, targets = lesson(seed=1)
    first = ranker.rank(queries, slate).items[:, 0]
    assert (first == targets).mean() > 0.8


def test_items_stay_and_padding_stays_on_the_right(ranker):
    queries, slate, _ = lesson(n=3)
    items = slate.items.copy()
    items[:, 7:] = NO_ITEM
    cut = Slate(items, np.where(items == NO_ITEM, -np.inf, slate.scores).astype(np.float32), slate.signals)
    ranked = ranker.rank(queries, cut)
    assert np.array_equal(np.sort(ranked.items[:, :7]), np.sort(items[:, :7]))
    assert (ranked.items[:, 7:] == NO_ITEM).all()


def test_requests_with_a_wish_or_without_a_history_keep_their_order(ranker):
    _, slate, _ = lesson(n=3)
    queries = asking([11], [], [11], wishes=["a wish", "", ""])
    ranked = ranker.rank(queries, slate)
    assert ranked.items[:2].tolist() == slate.items[:2].tolist()
    assert ranked.items[2].tolist() != slate.items[2].tolist()


def test_training_and_serving_read_the_same_features_to_the_last_bit(monkeypatch):
    seen = []
    plain = features

    def watched(queries, slate):
        seen.append(plain(queries, slate))
        return seen[-1]

    monkeypatch.setattr(module, "features", watched)
    queries, slate, targets = lesson(n=50)
    learned = FeatureRanker(SMALL).learn(queries, slate, targets, seed=0)
    learned.rank(queries, slate)
    assert len(seen) == 2
    assert seen[0].tobytes() == seen[1].tobytes()


def test_one_request_gets_the_same_bits_as_among_others(ranker):
    queries, slate, _ = lesson(n=9)
    together = ranker.rank(queries, slate).scores
    alone = [ranker.rank(queries.take(slice(n, n + 1)), slate.take(np.array([n]))).scores[0] for n in range(9)]
    assert together.tobytes() == np.stack(alone).tobytes()


def test_a_slate_without_its_target_teaches_nothing():
    queries, slate, _ = lesson(n=5)
    assert FeatureRanker(SMALL).learn(queries, slate, np.full(5, 99, np.int32), seed=0).boosters_ == ()


def test_a_slate_without_signals_is_refused(ranker):
    queries, slate, _ = lesson(n=2)
    with pytest.raises(ContractError, match="no signals"):
        ranker.rank(queries, replace(slate, signals=None))


def test_one_that_has_not_learned_says_so():
    queries, slate, _ = lesson(n=2)
    with pytest.raises(NotFittedError, match="FeatureRanker"):
        FeatureRanker().rank(queries, slate)
