"""Item-kNN by hand: 3, 2, 2 people like items 0, 1, 2; two like 0 and 1, two 0 and 2, one 1 and 2; nobody item 3."""

import numpy as np
import pytest
from scipy import sparse

from conftest import checkerboard
from palate.retrieve.neighbours import ItemKNN, ItemKNNConfig, nearest
from retrieve.fakes import asking, dataset

LIKES = [[0, 1], [0, 1, 2], [0, 2]]


def scores(runtime, history, **options):
    knn = ItemKNN(ItemKNNConfig(**options)).fit(dataset(LIKES, 4), runtime)
    return knn.scores(asking(history))[0]


def test_cosine_similarity_matches_hand_arithmetic(runtime):
    knn = ItemKNN().fit(dataset(LIKES, 4), runtime)
    expected = [[0, 2 / 6**0.5, 2 / 6**0.5, 0], [2 / 6**0.5, 0, 1 / 2, 0], [2 / 6**0.5, 1 / 2, 0, 0], [0, 0, 0, 0]]
    assert knn.similarity_.toarray() == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("options", "to_0", "to_2"),
    [
        pytest.param({}, 2 / 6**0.5, 1 / 2, id="cosine"),
        pytest.param({"damping": 0.0, "target_damping": 0.0}, 2, 1, id="counts"),
        pytest.param({"damping": 1.0, "target_damping": 1.0}, 2 / 6, 1 / 4, id="lift"),
        pytest.param({"damping": 1.0, "target_damping": 0.0}, 2 / 2, 1 / 2, id="share-of-the-history-item"),
        pytest.param({"damping": 0.0, "target_damping": 1.0}, 2 / 3, 1 / 2, id="share-of-the-scored-item"),
        pytest.param({"shrinkage": 1.0}, 2 / (6**0.5 + 1), 1 / 3, id="shrunk"),
    ],
)
def test_options_of_similarity_match_hand_arithmetic(runtime, options, to_0, to_2):
    assert scores(runtime, [1], **options)[[0, 2]] == pytest.approx([to_0, to_2])


def test_older_history_items_count_less(runtime):
    assert scores(runtime, [1, 2], decay=0.5)[:3] == pytest.approx([1.5 * 2 / 6**0.5, 1 / 2, 1 / 4])


def test_only_the_last_history_items_count(runtime):
    assert (scores(runtime, [1, 2], last=1) == scores(runtime, [2])).all()


def test_a_history_item_speaks_for_its_nearest_only(runtime):
    knn = ItemKNN(ItemKNNConfig(neighbours=1)).fit(dataset(LIKES, 4), runtime)
    assert [row.indices.tolist() for row in knn.similarity_] == [[1], [0], [0], []]  # of 0 the tie goes to 1


def test_items_that_nobody_spoke_for_follow_by_popularity(runtime):
    data = dataset([*LIKES, [3, 4], [4]], 6)
    shown = ItemKNN().fit(data, runtime).retrieve(asking([1]), 6)
    assert shown.items[0].tolist() == [0, 2, 4, 3, 5, -1]
    assert shown.scores[0, 1] > shown.scores[0, 2] > shown.scores[0, 3] > shown.scores[0, 4] == 0


def test_similarity_agrees_with_dense_arithmetic(runtime):
    data = checkerboard(seed=5)
    likes = data.matrix().toarray()
    length = np.maximum(np.linalg.norm(likes, axis=0), 1e-9)
    cosine = (likes / length).T @ (likes / length)
    np.fill_diagonal(cosine, 0)
    found = ItemKNN().fit(data, runtime).similarity_.toarray()
    np.testing.assert_allclose(found, cosine, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 12])
def test_the_nearest_are_those_of_a_stable_sort_of_each_row(k):
    rng = np.random.default_rng(2)
    dense = np.where(rng.random((40, 30)) < rng.random((40, 1)), rng.integers(1, 5, (40, 30)), 0).astype(np.float32)
    expected = np.zeros_like(dense)
    for row, values in enumerate(dense):
        kept = np.argsort(-values, kind="stable")[:k]
        expected[row, kept] = values[kept]
    found = nearest(sparse.csr_matrix(dense), k)
    assert (found.toarray() == expected).all()
    assert (np.diff(found.indptr) == np.minimum((dense > 0).sum(axis=1), k)).all()
