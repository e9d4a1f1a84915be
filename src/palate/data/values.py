"""Columns of any type to the values inside: ids and texts, unix seconds, numbers; null where a value is none."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

EXACT = 2.0**53  # from here on a float no longer tells whole numbers apart
UNITS = (
    (1e17, "nanoseconds", 1e9),
    (1e14, "microseconds", 1e6),
    (1e11, "milliseconds", 1e3),
    (-np.inf, "seconds", 1.0),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def texts(column: pl.Series) -> pl.Series:
    """As text, "" where there is none: whole floats lose their ".0", lists are joined with ", ".

    >>> texts(pl.Series([7.0, 3.5, None])).to_list()
    ['7', '3.5', '']
    """
    kind = column.dtype
    if kind.is_integer() or kind.is_temporal() or kind == pl.Categorical or kind == pl.Enum:
        column = column.cast(pl.String)
    elif kind != pl.String:
        column = pl.Series(column.name, list(map(as_text, column.to_list())), pl.String)
    return column.fill_null("") if column.null_count() else column


def as_text(value: Any) -> str:
    """One Python value as text, in the same way.

    >>> [as_text(value) for value in ("007", 7.0, ["a", "b"], None)]
    ['007', '7', 'a, b', '']
    """
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else str(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(as_text, value))
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).encode("utf8", "replace").decode()  # half a surrogate pair is no text


def numbers(column: pl.Series) -> pl.Series:
    """As float64, null where a value is not a finite number."""
    column = _plain(column)
    found = column.cast(pl.Float64, strict=False)
    if found.null_count() and column.dtype == pl.String:
        found = column.str.strip_chars().cast(pl.Float64, strict=False)
    return found if found.is_finite().all() else found.set(~found.is_finite(), None)


def times(column: pl.Series) -> tuple[pl.Series, str]:
    """As unix seconds (float64, null where a value is no time), and how they were understood.

    Numbers count from 1970 in the unit that fits their median; texts are ISO 8601, UTC where they name no zone.

    >>> found, how = times(pl.Series(["1970-01-02", "1970-01-01T01:00:00+01:00"]))
    >>> found.to_list(), how
    ([86400.0, 0.0], 'ISO 8601, in UTC where no zone is given')
    """
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if isinstance(column.dtype, pl.Datetime):
        zone = column.dtype.time_zone
        return column.dt.epoch("us") / 1e6, f"times of zone {zone}" if zone else "times in UTC"
    column = _plain(column)
    found = numbers(column)
    middle = found.median()
    size = middle if isinstance(middle, float) else 0.0
    unit, scale = next((name, scale) for least, name, scale in UNITS if size >= least)
    seconds, how = found / scale, f"{unit} since 1970"
    if seconds.null_count() and column.dtype == pl.String:
        written = {text: iso_seconds(text) for text in column.filter(seconds.is_null()).drop_nulls().unique()}
        if any(one is not None for one in written.values()):
            iso = column.replace_strict(written, default=None, return_dtype=pl.Float64)
            how = "ISO 8601, in UTC where no zone is given" + ("" if middle is None else f", or {how}")
            seconds = seconds.fill_null(iso)
    return seconds, how


def iso_seconds(text: str) -> float | None:
    """Unix seconds of an ISO 8601 time, UTC where it names no zone; None where it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None


def _plain(column: pl.Series) -> pl.Series:
    """Numbers stay numbers, everything else becomes text."""
    return column if column.dtype.is_numeric() or column.dtype == pl.String else texts(column)
