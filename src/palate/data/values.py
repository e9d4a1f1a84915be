"""Columns of any type to the values inside: ids and texts, unix seconds, numbers; null where a value is none."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

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


def numbers(column: pl.Series) -> Doubles:
    """(N,) float64, nan where a value is not a finite number."""
    column = _plain(column)
    found = column.cast(pl.Float64, strict=False)
    if found.null_count() and column.dtype == pl.String:
        found = column.str.strip_chars().cast(pl.Float64, strict=False)
    values = found.to_numpy()
    return values if np.isfinite(values).all() else np.where(np.isfinite(values), values, np.nan)


def times(column: pl.Series) -> tuple[Doubles, str]:
    """(N,) unix seconds, nan where a value is no time, and how they were understood.

    Numbers count from 1970 in the unit that fits most of them; texts are ISO 8601, UTC where they name no zone.

    >>> times(pl.Series(["1970-01-02", "1970-01-01T01:00:00+01:00"]))
    (array([86400.,     0.]), 'ISO 8601, in UTC where no zone is given')
    """
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime("us"))
    if isinstance(column.dtype, pl.Datetime):
        zone = column.dtype.time_zone
        return (column.dt.epoch("us") / 1e6).to_numpy(), f"times of zone {zone}" if zone else "times in UTC"
    column = _plain(column)
    found = numbers(column)
    counted = np.isfinite(found)
    half = np.count_nonzero(counted) / 2
    unit, scale = next((name, scale) for least, name, scale in UNITS if np.count_nonzero(found >= least) >= half)
    seconds, how = found if scale == 1.0 else found / scale, f"{unit} since 1970"
    if column.dtype == pl.String and not counted.all():
        rest = column.filter(~counted)
        written = {text: iso_seconds(text) for text in rest.drop_nulls().unique()}
        if any(one is not None for one in written.values()):
            seconds = seconds.copy()
            seconds[~counted] = rest.replace_strict(written, default=None, return_dtype=pl.Float64).to_numpy()
            how = "ISO 8601, in UTC where no zone is given" + (f", or {how}" if counted.any() else "")
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
