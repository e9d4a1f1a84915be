"""Palate: a recommender that reads. The public names, each imported when it is first used."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from palate.data.check import check
    from palate.data.dataset import Dataset
    from palate.data.read import read
    from palate.errors import PalateError, PalateWarning
    from palate.evaluation.evaluate import evaluate
    from palate.model import Model, fit, load

_HOMES = {
    "Dataset": "palate.data.dataset",
    "Model": "palate.model",
    "PalateError": "palate.errors",
    "PalateWarning": "palate.errors",
    "check": "palate.data.check",
    "evaluate": "palate.evaluation.evaluate",
    "fit": "palate.model",
    "load": "palate.model",
    "read": "palate.data.read",
}

__all__ = ["Dataset", "Model", "PalateError", "PalateWarning", "check", "evaluate", "fit", "load", "read"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'palate' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
