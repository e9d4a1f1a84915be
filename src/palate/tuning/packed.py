"""A tuned part as arrays, to lie in a saved model beside everything else."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palate.tuning.tuned import Tuned


def packed(part: Tuned) -> Mapping[str, NDArray[np.uint8]]:
    """The files that `Tuned.save` writes, by name."""
    with tempfile.TemporaryDirectory() as folder:
        part.save(Path(folder))
        return {path.name: np.fromfile(path, np.uint8) for path in sorted(Path(folder).iterdir()) if path.is_file()}
