"""Vectors to unit vectors."""

import numpy as np
from numpy.typing import NDArray

from palate.types import Floats


def unit_rows(vectors: NDArray[np.floating]) -> Floats:
    """(N, dim) each row divided by its length; a row (nearly) without length becomes zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 1e-9).astype(np.float32)
    return unit
