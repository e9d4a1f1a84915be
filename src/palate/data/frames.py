"""Frames of the user's kind to polars and back: polars inside, polars or pandas outside."""

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import polars as pl

from palate.data.dataset import FrameKind
from palate.data.values import as_text
from palate.errors import DataError, MissingExtraError


def from_native(frame: Any, what: str) -> tuple[pl.DataFrame, FrameKind]:
    """A polars frame with the same columns, and the kind that answers should come back in.

    what: how error texts name the frame. Raises DataError for anything that is not a frame.
    """
    if isinstance(frame, pl.DataFrame):
        return frame, "polars"
    if isinstance(frame, pl.LazyFrame):
        return frame.collect(), "polars"
    try:
        wide = nw.from_native(frame, eager_only=True)
        columns = [_column(wide[name]).rename(str(name)) for name in wide.columns]
    except (TypeError, ValueError, nw.exceptions.NarwhalsError) as error:
        raise DataError(
            f"{what}: {type(frame).__name__} is no usable frame ({error}); give a path or a frame"
        ) from None
    return pl.DataFrame(columns), "pandas" if wide.implementation.is_pandas() else "polars"


def native(columns: Mapping[str, Any], kind: FrameKind) -> Any:
    """Columns (lists or arrays of one length) as a frame of the given kind; raises MissingExtraError without pandas."""
    if kind == "polars":
        return pl.DataFrame(dict(columns))
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError('pandas frames need pandas: pip install "palate[pandas]"') from None
    return pd.DataFrame(dict(columns))


def _column(series: "nw.Series[Any]") -> pl.Series:
    """Columns of Python objects become text value by value, all others keep their type."""
    if series.dtype != nw.Object:
        return series.to_polars()
    pairs = zip(series.to_list(), series.is_null().to_list(), strict=True)
    return pl.Series([None if null else as_text(value) for value, null in pairs], dtype=pl.String)
