"""Frames of the user's kind to polars and back: polars inside, polars or pandas outside."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import polars as pl

from palate.data.dataset import FrameKind
from palate.data.values import as_text, texts
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


def texts_of(frame: Any, columns: Sequence[str], what: str) -> tuple[dict[str, list[str]], FrameKind]:
    """The named columns of a frame as lists of text, and its kind; raises DataError where one is missing or empty."""
    table, kind = from_native(frame, what)
    found = {}
    for name in columns:
        if name not in table.columns:
            raise DataError(f"{what}: no column {name}; the frame has {', '.join(table.columns) or 'none'}")
        found[name] = texts(table[name]).to_list()
        if "" in found[name]:
            raise DataError(f"{what}: row {found[name].index('') + 1}, column {name}: empty; give an id in every row")
    return found, kind


def rows_of(frame: Any) -> list[dict[str, Any]]:
    """A frame of either kind as one dict per row."""
    return from_native(frame, "frame")[0].to_dicts()


def _column(series: "nw.Series[Any]") -> pl.Series:
    """Columns of Python objects become text value by value, all others keep their type."""
    if series.dtype != nw.Object:
        return series.to_polars()
    pairs = zip(series.to_list(), series.is_null().to_list(), strict=True)
    return pl.Series([None if null else as_text(value) for value, null in pairs], dtype=pl.String)
