"""A tuned part as arrays, to lie in a saved model beside everything else, and back."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.tuning.tuned import Tuned, attached

Packed = Mapping[str, NDArray[np.uint8]]  # files by name


def packed(part: Tuned) -> Packed:
    """What `Tuned.save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        part.save(Path(folder))
        return {path.name: np.fromfile(path, np.uint8) for path in sorted(Path(folder).iterdir()) if path.is_file()}


def unpacked(model: Any, files: Packed) -> Tuned:
    """The network with that part, as `attached`."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            content.tofile(Path(folder) / Path(name).name)
        return attached(model, Path(folder))
