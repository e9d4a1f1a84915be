"""Trees over what retrievers say: what they learn and leave alone; training and serving read the same."""

from dataclasses import replace

import numpy as np
import pytest

from palate.errors import ContractError, NotFittedError
from palate.rank import features as module
from palate.rank.features import EXPECTED, LENGTH, SUM, FeatureRanker, FeatureRankerConfig, features, rising
from palate.types import NO_ITEM, Signals, Slate
from retrieve.fakes import asking

SMALL = FeatureRankerConfig(trees=30, leaves=4, least=5, boosters=2)


def lesson(n=200, width=10, seed=0):
    """Requests whose liked candidate is the one with the largest second signal; the first is noise."""
    rng = np.random.default_rng(seed)
    signals = Signals(("A: score", "B: score"), rng.normal(size=(n, width, 2)).astype(np.float32))
    items = np.tile(np.arange(width, dtype=np.int32), (n, 1))
    slate = Slate(items, np.tile(-np.arange(width, dtype=np.float32), (n, 1)), signals)
    return asking(*[[11]] * n), slate, signals.values[:, :, 1].argmax(axis=1).astype(np.int32)


@pytest.fixture(scope="module")
def ranker():
    return FeatureRanker(SMALL).learn(*lesson(), seed=0)


def test_what_made_people_like_is_learned(ranker):
    queries, slate, targets = lesson(seed=1)
    first = ranker.rank(queries, slate).items[:, 0]
    assert (first == targets).mean() > 0.8


def test_where_trees_end_the_sum_goes_on(ranker):
    """Candidates that all say what none did in training fall into the same leaves; the sum keeps them apart."""
    queries, slate, _ = lesson(n=1)
    far = Slate(slate.items, slate.scores - 100, Signals(slate.signals.names, np.full_like(slate.signals.values, -50)))
    ranked = ranker.rank(queries, far)
    assert ranked.items.tolist() == slate.items.tolist()
    assert len(np.unique(ranked.scores)) == slate.k


def test_the_sum_counts_as_the_logit_of_the_liked_item():
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(size=(4000, 10)), axis=1)[:, ::-1].astype(np.float32)
    chance = np.exp(1.7 * scores) / np.exp(1.7 * scores).sum(axis=1, keepdims=True)
    targets = np.array([rng.choice(10, p=row / row.sum()) for row in chance.astype(np.float64)], np.int32)
    slate = Slate(np.tile(np.arange(10, dtype=np.int32), (4000, 1)), scores, Signals((), np.zeros((4000, 10, 0), "f4")))
    learned = FeatureRanker(SMALL).learn(asking(*[[11]] * 4000), slate, targets, seed=0)
    assert learned.scale_ == pytest.approx(1.7, abs=0.1)


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
        found = plain(queries, slate)
        seen.append(found.values)
        return found

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


@pytest.mark.parametrize("contrary", [1, 2, 3], ids=[SUM, "A: score", "B: score"])
def test_no_item_falls_because_a_part_or_the_sum_scores_it_higher(contrary):
    queries, slate, _ = lesson()
    read = features(queries, slate).values
    worst = read[:, :, contrary].argmin(axis=1).astype(np.int32)  # a tree left free would turn the feature around
    learned = FeatureRanker(SMALL).learn(queries, slate, worst, seed=0)
    rng = np.random.default_rng(1)
    for feature in (1, 2, 3):
        scores, signals = slate.scores.copy(), slate.signals.values.copy()
        more = rng.exponential(size=slate.items.shape).astype(np.float32)
        if feature == 1:
            scores += more.mean()  # all of a slate alike, so that it stays in order
        else:
            signals[:, :, feature - 2] += more
        higher = Slate(slate.items, scores, Signals(slate.signals.names, signals))
        assert (by_item(learned, queries, higher) >= by_item(learned, queries, slate)).all()


def test_what_a_score_is_worth_may_rise_and_fall_with_the_length_of_the_history():
    _, slate, _ = lesson(n=400)
    lengths = np.where(np.arange(400) % 2, 8, 1)
    queries = asking(*([11] * length for length in lengths))
    best = slate.signals.values.argmax(axis=1)  # (B, 2)
    targets = np.where(lengths == 8, best[:, 0], best[:, 1]).astype(np.int32)  # A is right where histories are long
    learned = FeatureRanker(SMALL).learn(queries, slate, targets, seed=0)
    gain = by_item(learned, asking(*[[11] * 8] * 400), slate) - by_item(learned, asking(*[[11]] * 400), slate)
    assert gain.min() < 0 < gain.max()


def by_item(ranker, queries, slate):
    """(B, K) the scores of the lesson's items, by row number."""
    ranked = ranker.rank(queries, slate)
    return np.take_along_axis(ranked.scores, np.argsort(ranked.items, axis=1), axis=1)


def test_contributions_sum_to_the_score_of_each_item(ranker):
    queries, slate, _ = lesson(seed=2)
    told = ranker.contributions(queries, slate)
    assert told.names == (LENGTH, SUM, "A: score", "B: score", EXPECTED)
    assert told.values.shape == (200, 10, 5)
    np.testing.assert_allclose(told.values.sum(axis=2), by_item(ranker, queries, slate), rtol=0, atol=1e-6)


def test_what_decides_contributes_most_and_what_is_the_same_for_all_next_to_nothing(ranker):
    queries, slate, _ = lesson(seed=2)
    told = ranker.contributions(queries, slate).values
    length, total, noise, decisive, _ = np.abs(told).mean(axis=(0, 1))
    assert decisive > 5 * max(total, noise)
    assert length == 0
    assert np.ptp(told[:, :, -1]) == 0


def test_contributions_are_exact_shapley_values():
    """Of one tree of depth 2, by the definition: the mean, over both orders, of what knowing a feature changes."""
    queries, slate, _ = lesson(n=60)
    high = slate.signals.values > 0
    targets = (high[:, :, 0] & high[:, :, 1]).argmax(axis=1).astype(np.int32)
    one = FeatureRankerConfig(trees=1, leaves=3, least=5, boosters=1)
    learned = FeatureRanker(one).learn(queries, slate, targets, seed=1)
    tree = learned._grown[0].dump_model()["tree_info"][0]["tree_structure"]
    rows = features(queries, slate).values.reshape(-1, 4)
    used = sorted({node["split_feature"] for node in inner(tree)})
    assert len(used) == 2
    first, second = used
    told = learned.contributions(queries, slate).values.reshape(-1, 5)
    for row, found in zip(rows[:50], told[:50], strict=True):
        known = {known: value(tree, row, known) for known in ((), (first,), (second,), (first, second))}
        alone, rest = known[(first,)] - known[()], known[(first, second)] - known[(second,)]
        assert found[first] == pytest.approx((alone + rest) / 2, abs=1e-6)
        assert found[-1] == pytest.approx(known[()], abs=1e-6)


def inner(node):
    """The nodes of a tree that split."""
    return [node, *inner(node["left_child"]), *inner(node["right_child"])] if "split_feature" in node else []


def value(node, row, known):
    """What a tree says of a row of which only some features are known; of the others both branches count, by the
    number of training rows that took them."""
    if "split_feature" not in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return value(left if row[node["split_feature"]] <= node["threshold"] else right, row, known)
    n_left, n_right = (one.get("internal_count", one.get("leaf_count")) for one in (left, right))
    return (n_left * value(left, row, known) + n_right * value(right, row, known)) / (n_left + n_right)


def test_nothing_contributes_where_the_order_is_kept_and_to_padding(ranker):
    _, slate, _ = lesson(n=3)
    items = slate.items.copy()
    items[2, 7:] = NO_ITEM
    cut = Slate(items, np.where(items == NO_ITEM, -np.inf, slate.scores).astype(np.float32), slate.signals)
    told = ranker.contributions(asking([11], [], [11], wishes=["a wish", "", ""]), cut).values
    assert not told[:2].any()
    assert not told[2, 7:].any()
    assert told[2, :7].any(axis=1).all()


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


def test_a_score_may_fall_by_counts_and_by_the_length_alone():
    assert rising((LENGTH, SUM, "Popular: score", "EASE: score", "Popular: distance to its best")) == [0, 1, 0, 1, 0]


def test_no_tree_is_begun_after_the_time(ranker):
    def grown(seconds):
        return FeatureRanker(SMALL).learn(*lesson(), seed=0, seconds=seconds).boosters_

    assert grown(600.0) == ranker.boosters_
    few = grown(0.0)
    assert [text.count("\nTree=") for text in few] == [1] * len(few)
    assert len(few) == len(ranker.boosters_)
