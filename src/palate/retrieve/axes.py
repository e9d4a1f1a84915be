"""Encoded texts to rows that can be compared: centred, turned to their principal axes, evened out, of unit length."""

import numpy as np

from palate.retrieve.top import product
from palate.types import Floats
from palate.vectors import unit_rows


def directions(encoded: Floats, *, centre: bool, whiten: float) -> tuple[Floats, Floats]:
    """The mean (width,) and the principal axes (width, dim) divided by their deviation ** whiten.

    Axes that no text uses are left out. Without `centre` the mean is zero.

    Reference: Su et al. (2021), Whitening sentence representations, section 3.
    """
    n = max(len(encoded), 1)
    mean = encoded.sum(axis=0) / np.float32(n if centre else np.inf)
    variance, axes = np.linalg.eigh((encoded - mean).T @ (encoded - mean) / n)
    used = variance > 1e-6 * variance[-1]
    return mean, np.ascontiguousarray(axes[:, used] * variance[used] ** (-whiten / 2))


def project(encoded: Floats, mean: Floats, axes: Floats) -> Floats:
    """(N, dim) unit rows; a zero row, which is an empty text, stays zero."""
    told = encoded.any(axis=1, keepdims=True)
    return unit_rows(product(np.where(told, encoded - mean, 0), axes))
