"""The accuracy metrics: a contract for all, numbers by hand, and agreement with an independent library."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import ConfigError, ContractError
from palate.metrics import accuracy
from palate.metrics.accuracy import MAP, MRR, NDCG, HitRate, Precision, Recall, auc, uauc, user_auc
from palate.types import NO_ITEM, Ragged, Slate

METRICS = [
    kind
    for name, kind in inspect.getmembers(accuracy, inspect.isclass)
    if hasattr(kind, "per_user") and kind.__module__ == accuracy.__name__
]
each_metric = pytest.mark.parametrize("kind", METRICS)


def shown(*lists: list[int]) -> Slate:
    """Lists of items, best first, the shorter ones padded."""
    width = max(map(len, lists))
    items = np.array([row + [NO_ITEM] * (width - len(row)) for row in lists], np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, -np.arange(width, dtype=np.float32)).astype(np.float32)
    return Slate(items, scores)


@st.composite
def cases(draw) -> tuple[Slate, Ragged, int]:
    """Random lists out of 12 items, random truths, some of them empty, and a k."""
    n_users, width = draw(st.integers(1, 5)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    lists = [rng.permutation(12)[: rng.integers(0, width + 1)].tolist() for _ in range(n_users)]
    truth = Ragged.of([rng.permutation(12)[: rng.integers(0, 7)] for _ in range(n_users)])
    return shown(*lists), truth, draw(st.integers(1, 10))


def test_no_metric_is_left_out():
    assert [kind.__name__ for kind in METRICS] == ["HitRate", "MAP", "MRR", "NDCG", "Precision", "Recall"]


@each_metric
def test_the_name_says_the_metric_and_its_k(kind):
    expected = {"HitRate": "hit_rate@7", "MAP": "map@7", "MRR": "mrr@7", "NDCG": "ndcg@7"}
    assert kind(7).name == expected.get(kind.__name__, f"{kind.__name__.lower()}@7")


@each_metric
@given(case=cases())
def test_values_lie_between_0_and_1_and_are_nan_only_without_truth(kind, case):
    slate, truth, k = case
    values = kind(k).per_user(slate, truth)
    assert values.dtype == np.float32
    assert np.array_equal(np.isnan(values), truth.lengths == 0)
    told = values[truth.lengths > 0]
    assert ((told >= 0) & (told <= 1 + 1e-6)).all()


@each_metric
@given(case=cases())
def test_no_list_beats_the_perfect_one(kind, case):
    slate, truth, k = case
    wanted = truth.lengths > 0
    best = kind(k).per_user(shown(*(row.tolist() for row in truth)), truth)[wanted]
    assert (kind(k).per_user(slate, truth)[wanted] <= best + 1e-6).all()
    if kind in (NDCG, HitRate, MRR, MAP):
        assert best == pytest.approx(1.0)


@each_metric
def test_a_batch_gets_what_its_members_get_alone(kind):
    lists, truths = [[3, 1, 2], [5], [0, 4]], [[2, 9], [], [4]]
    together = kind(2).per_user(shown(*lists), Ragged.of(truths))
    alone = [kind(2).per_user(shown(row), Ragged.of([truth]))[0] for row, truth in zip(lists, truths, strict=True)]
    assert np.array_equal(together, alone, equal_nan=True)


@each_metric
def test_an_answer_named_twice_counts_once(kind):
    once, twice = (kind(3).per_user(shown([1, 2, 3]), Ragged.of([truth])) for truth in ([2, 9], [2, 9, 2]))
    assert once == twice


@each_metric
def test_no_requests_give_no_numbers(kind):
    assert kind(3).per_user(Slate.stack([], 3), Ragged.empty(0)).shape == (0,)


@each_metric
def test_wrong_use_says_so(kind):
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.k: 0 is below 1"):
        kind(0)
    with pytest.raises(ContractError, match="1 lists for 2 truths"):
        kind(3).per_user(shown([1]), Ragged.of([[1], [2]]))


@pytest.mark.parametrize(
    ("metric", "listed", "wanted", "expected"),
    [
        pytest.param(NDCG(3), [1, 2, 3], [1], 1.0, id="ndcg-hit-at-rank-1"),
        pytest.param(NDCG(3), [1, 2, 3], [3], 0.5, id="ndcg-hit-at-rank-3"),
        pytest.param(NDCG(3), [1, 2, 3], [1, 3], 1.5 / (1 + 1 / np.log2(3)), id="ndcg-two-hits"),
        pytest.param(NDCG(2), [1, 2], [1, 2, 3, 4], 1.0, id="ndcg-more-wanted-than-places"),
        pytest.param(NDCG(3), [9], [9, 8], 1 / (1 + 1 / np.log2(3)), id="ndcg-short-list"),
        pytest.param(HitRate(2), [1, 2, 3], [3], 0.0, id="hit-below-the-cut"),
        pytest.param(Recall(3), [1, 2, 3], [3, 4], 0.5, id="recall-half"),
        pytest.param(Precision(4), [1, 2], [1, 2], 0.5, id="precision-short-list"),
        pytest.param(MRR(3), [1, 2, 3], [3, 2], 0.5, id="mrr-first-hit-counts"),
        pytest.param(MAP(3), [1, 2, 3], [1, 3], (1 + 2 / 3) / 2, id="map-two-hits"),
        pytest.param(MAP(3), [1, 2, 3], [2, 7, 8], 0.5 / 3, id="map-one-of-three"),
    ],
)
def test_metrics_match_hand_arithmetic(metric, listed, wanted, expected):
    assert metric.per_user(shown(listed), Ragged.of([wanted]))[0] == pytest.approx(expected)


RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
wanted, shown, names = json.load(sys.stdin)
print(json.dumps({name: evaluate(Qrels(wanted), Run(shown), name, return_mean=False).tolist() for name in names}))
"""


def ranx(lists: list[list[int]], truths: list[list[int]], names: list[str]) -> dict[str, list[float]]:
    """Each metric per user by ranx, in a process of its own, uncompiled: 60 lists then take seconds."""
    wanted = {f"{user:03}": {f"{item}": 1 for item in row} for user, row in enumerate(truths)}
    shown = {f"{user:03}": {f"{item}": 99.0 - rank for rank, item in enumerate(row)} for user, row in enumerate(lists)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RANX],
        input=json.dumps([wanted, shown, names]),
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_metrics_agree_with_ranx():
    rng = np.random.default_rng(0)
    lists = [rng.permutation(30)[:10].tolist() for _ in range(60)]
    truths = [rng.permutation(30)[: rng.integers(1, 15)].tolist() for _ in range(60)]
    lengths = np.array([len(row) for row in truths])
    metrics = [kind(k) for kind in METRICS for k in (1, 5, 10)]
    theirs = ranx(lists, truths, [metric.name for metric in metrics])
    for metric in metrics:
        ours = metric.per_user(shown(*lists), Ragged.of(truths))
        if isinstance(metric, MAP):  # ranx divides by |truth|, we by min(k, |truth|)
            ours = ours * np.minimum(metric.k, lengths) / lengths
        assert ours == pytest.approx(theirs[metric.name], abs=1e-6), metric.name
        assert ours.std() > 0  # a comparison of constants would prove nothing


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        pytest.param([1, 0], [2, 1], 1.0, id="right-way-round"),
        pytest.param([1, 0], [1, 2], 0.0, id="wrong-way-round"),
        pytest.param([1, 0, 0], [1, 1, 0], 0.75, id="a-tie-counts-half"),
        pytest.param([1, 0, 1, 0], [4, 3, 2, 1], 0.75, id="three-of-four-pairs"),
        pytest.param([1, 1], [1, 2], np.nan, id="one-label-only"),
        pytest.param([], [], np.nan, id="nothing"),
    ],
)
def test_auc_matches_hand_arithmetic(labels, scores, expected):
    assert auc(np.array(labels, np.bool_), np.array(scores, np.float32)) == pytest.approx(expected, nan_ok=True)


@given(seed=st.integers(0, 10_000))
def test_auc_counts_ordered_pairs(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.random(20) < 0.4, rng.integers(0, 6, 20).astype(np.float32)
    gaps = scores[labels][:, None] - scores[~labels][None, :]
    expected = ((gaps > 0) + (gaps == 0) / 2).mean() if gaps.size else np.nan
    assert auc(labels, scores) == pytest.approx(expected, nan_ok=True)


@given(seed=st.integers(0, 10_000))
def test_each_users_auc_is_that_of_their_own_pairs(seed):
    rng = np.random.default_rng(seed)
    users, labels = rng.integers(0, 4, 30).astype(np.int32) * 7, rng.random(30) < 0.5
    scores = rng.integers(0, 5, 30).astype(np.float32)
    named, values = user_auc(users, labels, scores)
    alone = [auc(labels[users == user], scores[users == user]) for user in named]
    assert values == pytest.approx(alone, nan_ok=True)
    assert uauc(users, labels, scores) == pytest.approx(np.nanmean(alone))
