"""Weights of several retrievers from the choices people made: a conditional logit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from palate.types import Bools, Floats

RIDGE = 1e-4  # keeps weights finite where one retriever is never wrong


@dataclass(frozen=True, eq=False)
class Weights:
    """own: (M,) >= 0, sum 1, for items that somebody liked; cold, shift: (M,) >= 0 and what is added, for the others,
    on the same scale; None and 0 where these are as all items."""

    own: NDArray[np.float64]
    cold: NDArray[np.float64] | None = None
    shift: float = 0.0


def conditional_logit(features: Floats, real: Bools, cold: Bools) -> Weights:
    """The weights that make the first candidate of each row likely against the others.

    Minimises the mean of -log softmax(features @ weights)[0] plus a small ridge, before scaling. Cold candidates have
    weights of their own and a shift; none where no row's first candidate is cold. Equal weights where nothing
    helps or there is no row.

    Reference: McFadden (1974), Conditional logit analysis of qualitative choice behavior, section 2.

    features: (N, C, M); real, cold: (N, C)
    """
    n, _, m = features.shape
    start = np.full(m, 1 / m)
    taught = bool(cold[:, 0].any())
    if not taught:
        cold = np.zeros_like(cold)
    apart, own = features[cold], np.where(cold[:, :1], 0, features[:, 0])
    right = np.concatenate([own.sum(axis=0), features[cold[:, 0], 0].sum(axis=0), [cold[:, 0].sum()]])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = features @ weights[:m]
        logits[cold] = apart @ weights[m:-1] + weights[-1]
        logits[~real] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        chance = np.exp(logits)
        chance /= chance.sum(axis=1, keepdims=True)
        value = -np.log(np.maximum(chance[:, 0], 1e-30)).mean() + RIDGE * weights @ weights
        of_cold = chance[cold]
        chance[cold] = 0
        expected = [np.einsum("bc,bcm->m", chance, features), of_cold @ apart, [of_cold.sum()]]
        return value, (np.concatenate(expected) - right) / n + 2 * RIDGE * weights

    if not n:
        return Weights(start)
    first = np.concatenate([start, start * taught, [0.0]])
    bounds = [(0, None)] * (2 * m) + [(None, None)]
    found = minimize(loss, first, jac=True, method="L-BFGS-B", bounds=bounds).x
    total = found[:m].sum()
    if total <= 0:
        return Weights(start)
    found = found / total
    return Weights(found[:m], found[m:-1], float(found[-1])) if taught else Weights(found[:m])
