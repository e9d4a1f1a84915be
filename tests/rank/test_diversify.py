"""Diversify: each formula by hand, the whole against plain loops, and the contract of a ranker."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from conftest import checkerboard
from palate import store
from palate.errors import ConfigError, NotFittedError
from palate.rank.diversify import STRENGTHS, Diversify, DiversifyConfig
from palate.rank.values import value_shares
from palate.runtime import Runtime
from palate.types import NO_ITEM, Slate
from retrieve.fakes import WordEncoder, asking, dataset

BOARD = checkerboard()
ALL_ON = DiversifyConfig(mmr=0.3, calibrate=0.4, popularity_damping=0.2)
EVERY = {
    "text": DiversifyConfig(mmr=0.5),
    "attribute": DiversifyConfig(mmr=0.5, alike="attribute"),
    "calibrate": DiversifyConfig(calibrate=0.5),
    "damping": DiversifyConfig(popularity_damping=0.5),
    "all": ALL_ON,
}


def slate(*lists, scores=None):
    """Lists with the scores n, n - 1 ... 1, or the same given scores for each."""
    width = max(map(len, lists))
    items = np.array([list(row) + [NO_ITEM] * (width - len(row)) for row in lists], np.int32)
    values = np.tile(scores or np.arange(width, 0, -1), (len(lists), 1))
    return Slate(items, np.where(items == NO_ITEM, -np.inf, values).astype(np.float32))


def tagged(*tags, rows=((0,),)):
    """A catalogue with these tags; user u liked rows[u]."""
    data = dataset(rows, len(tags))
    return replace(data, items=replace(data.items, tags=tags))


def made(data, config, encoder=None):
    return Diversify(config, encoder or WordEncoder()).fit(data, Runtime())


def order(ranker, queries, given):
    return ranker.rank(queries, given).items.tolist()


@pytest.mark.parametrize(
    ("mmr", "expected"),
    [
        # relevance 1, .9, 0; items 0 and 1 are alike, so the second place is worth .9 (1 - mmr) - mmr or 0
        pytest.param(0.4, [0, 1, 2], id=".54-.4-is-more-than-0"),
        pytest.param(0.5, [0, 2, 1], id=".45-.5-is-less-than-0"),
    ],
)
def test_mmr_by_hand(mmr, expected):
    config = DiversifyConfig(mmr=mmr, alike="attribute")
    ranker = made(tagged("space", "space", "love"), config)
    assert order(ranker, asking([0]), slate([0, 1, 2], scores=[20, 19, 10])) == [expected]


def test_calibration_by_hand():
    # the history is 3/4 space and 1/4 love. Two places: space and love KL .128, space twice .937, and so on to 3 : 1
    data = tagged("space", "space", "space", "space", "love")
    ranker = made(data, DiversifyConfig(calibrate=1.0))
    assert order(ranker, asking([0, 1, 2, 4]), slate([0, 1, 2, 3, 4])) == [[0, 4, 1, 2, 3]]


def test_calibration_weighs_relevance_against_divergence_by_hand():
    # after one place of space the mix is right with love: KL .937 - .128 = .809 less, for 2/3 less relevance;
    # (1 - c) 2/3 = c .809 at c = .452
    data = tagged("space", "space", "space", "love")
    for strength, expected in ((0.44, [0, 1, 3, 2]), (0.46, [0, 3, 1, 2])):
        ranker = made(data, DiversifyConfig(calibrate=strength))
        assert order(ranker, asking([0, 0, 0, 3]), slate([0, 1, 2, 3]))[0][:2] == expected[:2]


def test_popularity_damping_by_hand():
    # likes 7, 1, 0: logarithms of 8, 2, 1, that is 1, 1/3 and 0 of the largest; relevance 1, .5, 0
    data = dataset([[0], [0], [0], [0], [0], [0], [0, 1]], 3)
    given = slate([0, 1, 2])
    for strength, expected in ((0.7, [0, 1, 2]), (0.8, [1, 0, 2])):  # .3 against .27, .2 against .23
        ranker = made(data, DiversifyConfig(popularity_damping=strength))
        assert order(ranker, asking([]), given) == [expected]


def test_what_was_disliked_is_not_popular():
    data = dataset([[0, 1], [0, 1], [1, 0]], 2, disliked={(0, 0), (1, 0), (2, 0)})
    ranker = made(data, DiversifyConfig(popularity_damping=1.0))
    assert ranker.fame_.tolist() == [0, 1]


class Known:
    """Two texts that share the direction (.6, 0)."""

    def fit(self, texts, runtime):
        return self

    def encode(self, texts, *, role):
        known = {"left": (0.6, 0.8), "right": (0.6, -0.8)}
        return np.array([known.get(text, (0, 0)) for text in texts], np.float32)


def test_texts_are_compared_without_what_all_share():
    data = dataset([[0]], 4, titles=("left", "right", "", ""))
    vectors = made(data, DiversifyConfig(mmr=1.0), Known()).vectors_
    assert vectors == pytest.approx(np.array([[0, 1], [0, -1], [0, 0], [0, 0]]))  # what has no text moves no mean


def plain(config, vectors, shares, fame, history, items, scores):
    """The new order of one list, by the formulas of the docstring, in plain loops."""
    told = [item for item in items if item != NO_ITEM]
    low, high = min(scores[: len(told)]), max(scores[: len(told)])
    worth = {
        item: ((score - low) / (high - low) if high > low else 0) - config.popularity_damping * fame[item]
        for item, score in zip(told, scores, strict=False)
    }
    mixed = [shares[item] for item in history if shares[item].any()]
    wanted = np.mean(mixed, axis=0) if mixed else np.zeros(shares.shape[1])
    left, chosen = list(told), []
    while left and len(chosen) < config.depth:
        gains = []
        for item in left:
            nearest = max((float(vectors[item] @ vectors[one]) for one in chosen), default=0.0)
            shown = np.mean([shares[one] for one in [*chosen, item]], axis=0)
            far = sum(p * math.log(p / (0.99 * q + 0.01 * p)) for p, q in zip(wanted, shown, strict=True) if p)
            gain = (1 - config.mmr) * worth[item] - config.mmr * nearest
            gains.append((1 - config.calibrate) * gain - config.calibrate * far)
        # sums in another order differ in the last bits; near ties decide nothing
        assume(not any(1e-6 < max(gains) - gain < 1e-4 for gain in gains))
        best = next(place for place, gain in enumerate(gains) if gain > max(gains) - 1e-5)
        chosen.append(left.pop(best))
    return chosen + left + [NO_ITEM] * (len(items) - len(told))


strength = st.sampled_from([0.0, 0.13, 0.31, 0.57, 0.83])


@given(
    seed=st.integers(0, 10_000),
    mmr=strength,
    calibrate=strength,
    damping=strength,
    alike=st.sampled_from(["text", "attribute"]),
    depth=st.integers(1, 9),
)
def test_it_agrees_with_plain_loops_and_keeps_the_items(seed, mmr, calibrate, damping, alike, depth):
    rng = np.random.default_rng(seed)
    words = ["ant", "bee", "cat", "dog", "elk"]
    tags = tuple(", ".join(rng.choice(words, rng.integers(0, 4), replace=False)) for _ in range(12))
    tags = ("ant", *tags[1:])
    titles = tuple(" ".join(rng.choice(words, 6)) + f" {item}" for item in range(12))
    data = dataset([rng.permutation(12)[:5].tolist() for _ in range(6)], 12, titles=titles)
    data = replace(data, items=replace(data.items, tags=tags))
    config = DiversifyConfig(mmr=mmr, calibrate=calibrate, popularity_damping=damping, alike=alike, depth=depth)
    ranker = made(data, config)
    lists = [rng.permutation(12)[: rng.integers(1, 9)].tolist() for _ in range(5)]
    given = slate(*lists, scores=np.sort(rng.normal(size=max(map(len, lists))))[::-1].tolist())
    queries = asking(*[rng.permutation(12)[: rng.integers(0, 5)].tolist() for _ in range(5)])
    found = ranker.rank(queries, given)
    assert np.array_equal(np.sort(found.items, axis=1), np.sort(given.items, axis=1))
    assert np.array_equal(found.scores, given.scores)
    full = made(data, replace(config, mmr=1.0, calibrate=1.0, popularity_damping=1.0))
    vectors = full.vectors_ if alike == "text" else full.vectors_.toarray()
    shares = full.shares_.toarray().astype(np.float64)
    for row in range(5):
        scores = given.scores[row].tolist()
        expected = plain(config, vectors, shares, full.fame_, queries.histories[row], given.items[row].tolist(), scores)
        assert found.items[row].tolist() == expected


@pytest.fixture(scope="module", params=list(EVERY))
def ranker(request):
    return made(BOARD, EVERY[request.param])


def lists_of(n):
    """The same first candidates in other orders, and the requests of the people they are for."""
    rng = np.random.default_rng(1)
    return BOARD.queries(np.arange(n) % BOARD.n_users), slate(*[rng.permutation(20)[:12].tolist() for _ in range(n)])


def test_a_batch_answers_as_its_members_do_alone(ranker):
    queries, given = lists_of(150)  # more than two blocks
    together = order(ranker, queries, given)
    alone = [order(ranker, queries.take(slice(row, row + 1)), Slate(given.items[row : row + 1], given.scores[:1]))[0]
             for row in range(150)]  # fmt: skip
    assert together == alone


def test_every_strength_moves_something(ranker):
    queries, given = lists_of(40)
    assert order(ranker, queries, given) != given.items.tolist()


def test_save_and_load_change_nothing(ranker, tmp_path):
    queries, given = lists_of(10)
    store.save(tmp_path / "model", ranker, {})
    again = store.load(tmp_path / "model", {"Diversify": Diversify, "DiversifyConfig": DiversifyConfig})
    assert order(again, queries, given) == order(ranker, queries, given)


def test_no_requests_get_no_lists(ranker):
    queries, given = lists_of(2)
    none = ranker.rank(queries.take(slice(0, 0)), Slate(given.items[:0], given.scores[:0]))
    assert none.items.shape == (0, 12)


def test_lists_without_any_place_are_no_error(ranker):
    nothing = Slate(np.zeros((2, 0), np.int32), np.zeros((2, 0), np.float32))
    assert ranker.rank(BOARD.queries(np.arange(2)), nothing).items.shape == (2, 0)


def test_a_slate_of_padding_stays_padding(ranker):
    given = slate([3, 1], []).top(2)
    assert order(ranker, BOARD.queries(np.arange(2)), given)[1] == [NO_ITEM, NO_ITEM]


def test_all_off_returns_the_slate_itself_fitted_or_not():
    queries, given = lists_of(3)
    assert Diversify().rank(queries, given) is given
    assert Diversify().fit(BOARD, Runtime()).rank(queries, given) is given


def test_places_past_the_depth_keep_their_order():
    config = DiversifyConfig(calibrate=1.0, depth=1)
    given = slate([1, 3, 5, 0, 7])
    assert order(made(BOARD, config), asking([2, 4]), given) == [[0, 1, 3, 5, 7]]


def test_without_a_history_nothing_is_calibrated():
    given = slate([1, 0, 3, 2])
    assert order(made(BOARD, EVERY["calibrate"]), asking([]), given) == given.items.tolist()


@pytest.mark.parametrize("name", STRENGTHS)
def test_one_that_was_not_fitted_says_so(name):
    queries, given = lists_of(1)
    with pytest.raises(NotFittedError, match="Diversify"):
        Diversify(DiversifyConfig(**{name: 0.5})).rank(queries, given)


def test_values_stand_between_commas_semicolons_or_bars_whatever_their_case():
    shares = value_shares(tagged("Space; love", "love|SPACE,war ,", "").items, "tags").toarray()
    third = 1 / 3
    assert shares == pytest.approx(np.array([[0.5, 0.5, 0], [third, third, third], [0, 0, 0]]))


@pytest.mark.parametrize(
    ("attribute", "complaint"),
    [
        pytest.param("genre", r'"genre": no column of the items; choose from shelf, tags', id="unknown"),
        pytest.param("tags", r'"tags": no item has a value', id="empty"),
    ],
)
def test_an_attribute_that_says_nothing_is_refused(attribute, complaint):
    items = replace(BOARD.items, tags=("",) * BOARD.n_items)
    with pytest.raises(ConfigError, match=complaint):
        made(replace(BOARD, items=items), DiversifyConfig(calibrate=0.5, attribute=attribute))


def test_mmr_by_text_without_an_encoder_says_what_to_do():
    with pytest.raises(ConfigError, match='alike = "attribute"'):
        Diversify(DiversifyConfig(mmr=0.5)).fit(BOARD, Runtime())
