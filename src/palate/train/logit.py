"""Weights of several retrievers from the choices people made: a conditional logit."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from palate.types import Bools, Floats

RIDGE = 1e-4  # keeps weights finite where one retriever is never wrong


def conditional_logit(features: Floats, real: Bools) -> NDArray[np.float64]:
    """(M,) weights >= 0 that sum to 1 and make the first candidate of each row likely against the others.

    Minimises the mean of -log softmax(features @ weights)[0] plus a small ridge, before scaling; equal weights
    where nothing helps or there is no row.

    Reference: McFadden (1974), Conditional logit analysis of qualitative choice behavior, section 2.

    features: (N, C, M); real: (N, C)
    """
    start = np.full(features.shape[2], 1 / features.shape[2])
    if not len(features):
        return start

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = np.where(real, features @ weights, -np.inf)
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        chance /= chance.sum(axis=1, keepdims=True)
        value = -np.log(np.maximum(chance[:, 0], 1e-30)).mean() + RIDGE * weights @ weights
        expected = np.einsum("bc,bcm->m", chance, features) / len(features)
        return value, expected - features[:, 0].mean(axis=0) + 2 * RIDGE * weights

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start)).x
    return found / found.sum() if found.sum() > 0 else start
