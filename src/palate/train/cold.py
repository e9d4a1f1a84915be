"""Fair scores for items without behaviour: how their scores must be stretched and moved to stand among the others."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from palate.types import Floats, Ints, Longs

PRETENDED = 0.2  # share of known items that play cold ones


def calibrated(known: Floats, content: Floats, targets: Ints | Longs, rng: np.random.Generator) -> tuple[float, float]:
    """(stretch, shift) for the scores of cold items, from requests with a known answer.

    A random share of the known items is scored by content alone, the rest as they are; stretch * score + shift of
    these makes the right answers, on either side, as likely as can be under a softmax over both. A stretch far from 1
    counts as one request that is log(stretch) ** 2 less likely, so that a few requests do not lead anywhere.

    known, content: (B, n) scores of the same known items, with and without the id part; targets: (B,) columns
    """
    cold = np.asarray(rng.random(known.shape[1]) < PRETENDED)
    rows = np.arange(len(targets))
    rest = np.where(cold, -np.inf, known)
    most = rest.max(axis=1)
    rest_total = most + np.log(np.exp(rest - most[:, None]).sum(axis=1))  # (B,) log of the sum over the others
    pretended = content[:, cold].astype(np.float64)
    asked, own_known, own_content = cold[targets], known[rows, targets], content[rows, targets]

    def loss(values: NDArray[np.float64]) -> float:
        if values[0] <= 0:
            return np.inf
        scores = values[0] * pretended + values[1]
        most = scores.max(axis=1, initial=-np.inf)
        total = most + np.log(np.exp(scores - most[:, None]).sum(axis=1))
        own = np.where(asked, values[0] * own_content + values[1], own_known)
        return float((np.logaddexp(rest_total, total) - own).sum() + np.log(values[0]) ** 2)

    found = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead", options={"maxiter": 60}).x
    return float(found[0]), float(found[1])
