"""iALS: what it learns with, and that a request's vector solves its own least squares."""

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from conftest import checkerboard
from palate.retrieve.ials import IALS, IALSConfig
from palate.runtime import Runtime
from retrieve.fakes import asking

CONFIG = IALSConfig(factors=8, alpha=5.0, regularisation=0.3, iterations=5)


def fitted_implicit(data, n_threads):
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors=8,
            alpha=5.0,
            regularization=0.3,
            iterations=5,
            num_threads=n_threads,
            random_state=Runtime(seed=0).rng("ials"),
        )
        model.fit(data.matrix(), show_progress=False)
    return model


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_request_is_folded_in_as_implicit_does_it_on_any_number_of_threads(board, runtime, n_threads):
    model = fitted_implicit(board, n_threads)
    vectors = model.recalculate_user(np.arange(board.n_users), board.matrix())
    ials = IALS(CONFIG).fit(board, runtime)
    assert (ials.factors_ == model.item_factors).all()
    found = ials.scores(board.queries(np.arange(board.n_users)))
    np.testing.assert_allclose(found, vectors @ model.item_factors.T, atol=1e-4)


def test_a_request_solves_its_weighted_least_squares(board, runtime):
    ials = IALS(CONFIG).fit(board, runtime)
    items = ials.factors_.astype(np.float64)
    confidence, liked = np.ones(board.n_items), np.zeros(board.n_items)
    confidence[[2, 4]], liked[[2, 4]] = 5.0, 1.0
    vector = np.linalg.solve((items.T * confidence) @ items + 0.3 * np.eye(8), items.T @ (confidence * liked))
    np.testing.assert_allclose(ials.scores(asking([2, 4]))[0], items @ vector, atol=1e-4)


def test_a_repeated_history_item_counts_once(board, runtime):
    ials = IALS(CONFIG).fit(board, runtime)
    assert (ials.scores(asking([2, 4, 2])) == ials.scores(asking([4, 2]))).all()


def test_another_seed_gives_another_model():
    first, second = (IALS(CONFIG).fit(checkerboard(), Runtime(seed=seed)).factors_ for seed in (0, 1))
    assert not np.allclose(first, second)


def test_histories_longer_than_the_vectors_solve_the_same_least_squares(board, runtime):
    ials = IALS(CONFIG).fit(board, runtime)
    items, liked = ials.factors_.astype(np.float64), np.arange(0, 18)  # 18 likes, 8 factors
    confidence = np.where(np.isin(np.arange(board.n_items), liked), 5.0, 1.0)
    left = (items.T * confidence) @ items + 0.3 * np.eye(8)
    vector = np.linalg.solve(left, 5.0 * items[liked].sum(axis=0))
    np.testing.assert_allclose(ials.asked(asking(liked, [2]))[0], vector, atol=1e-4)
