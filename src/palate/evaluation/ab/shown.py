"""Frames of exposures and of events to checked rows: ids as text, unix seconds, nothing that was sent twice."""

import json
from dataclasses import dataclass
from time import time as now
from typing import Any

import numpy as np
import polars as pl

from palate.data.frames import from_native, texts_of
from palate.data.log import DAY
from palate.data.values import Doubles, as_text, numbers, texts, times
from palate.errors import DataError

_SHOWN = {"user": pl.String, "arm": pl.String, "time": pl.Float64, "request": pl.String}
_DONE = {"user": pl.String, "item": pl.String, "time": pl.Float64, "kind": pl.String, "value": pl.Float64}


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """rows: user, item, time, kind ("" where there is none), value (0 where there is none); again: sent twice."""

    rows: pl.DataFrame
    again: int
    has_value: bool


def read_exposures(frame: Any) -> tuple[pl.DataFrame, int]:
    """A row for each item of each list (user, arm, time, request, item, team), and how many rows were sent again.

    frame: user_id, arm, time, and the items of a list as `items` (a list, or its ids by comma or as JSON), or one of
        them in each row as `item_id`. `request_id` names a list, else its user and time do. Interleaved lists have
        the ranker that placed an item as its team: `teams` beside `items`, `team` beside `item_id`.

    A list without items keeps a row with the item "". A row whose request (and item) came before is left out.
    """
    table, _ = from_native(frame, "exposures")
    found, _ = texts_of(table, ["user_id", "arm"], "exposures")
    users, time = found["user_id"], _times(table, "exposures")
    rows = pl.DataFrame(
        {"user": users, "arm": found["arm"], "time": time, "request": _requests(table, found, time)}, _SHOWN
    )
    if not len(rows):
        raise DataError("exposures: no rows; give at least one list that was shown")
    if "items" in table.columns:
        once, rows = ["request"], rows.with_columns(_listed(table))
    else:
        found, _ = texts_of(table, ["item_id"], "exposures")
        teams = texts(table["team"]) if "team" in table.columns else pl.lit("")
        once, rows = ["request", "item"], rows.with_columns(item=pl.Series(found["item_id"]), team=teams)
    _whole(rows)
    kept = rows.unique(once, keep="first", maintain_order=True)
    if "items" in table.columns:
        kept = kept.explode("item", "team", empty_as_null=True).unique(
            ["request", "item"], keep="first", maintain_order=True
        )
    kept = kept.with_columns(pl.col("item", "team").fill_null(""), pl.col("time").min().over("request"))
    _two_teams(kept)
    return kept, len(rows) - rows.n_unique(once)


def read_events(frame: Any) -> Done:
    """What people did.

    frame: user_id, item_id, time and, where there are, kind, value and event_id. Of events with one event_id the first
        counts; where there are none, of rows that are alike in everything.
    """
    table, _ = from_native(frame, "events")
    total = len(table)
    if "event_id" in table.columns:
        texts_of(table, ["event_id"], "events")
        table = table.filter(texts(table["event_id"]).is_first_distinct())
    else:
        table = table.unique(keep="first", maintain_order=True)
    found, _ = texts_of(table, ["user_id", "item_id"], "events")
    has_value = "value" in table.columns
    rows = pl.DataFrame(
        {
            "user": found["user_id"],
            "item": found["item_id"],
            "time": _times(table, "events"),
            "kind": texts(table["kind"]) if "kind" in table.columns else [""] * len(table),
            "value": _values(table) if has_value else np.zeros(len(table)),
        },
        _DONE,
    )
    return Done(rows, total - len(table), has_value)


def _times(table: pl.DataFrame, what: str) -> Doubles:
    """(N,) unix seconds; raises DataError where a row has none."""
    texts_of(table, ["time"], what)
    seconds, _ = times(table["time"])
    fault = _first(np.isnan(seconds))
    if fault is not None:
        raise _bad(table, what, "time", fault, "is not a time; use seconds, milliseconds or ISO 8601")
    fault = _first(seconds > now() + DAY)
    if fault is not None:
        raise _bad(table, what, "time", fault, "lies in the future; correct the clock or the unit")
    return seconds


def _values(table: pl.DataFrame) -> Doubles:
    """(N,) the value, 0 where a row has none."""
    told = texts(table["value"]).str.strip_chars() != ""
    found = numbers(table["value"])
    fault = _first(np.isnan(found) & told.to_numpy())
    if fault is not None:
        raise _bad(table, "events", "value", fault, "is not a finite number; use a plain number such as 4 or 3.5")
    return np.nan_to_num(found, nan=0.0)


def _requests(table: pl.DataFrame, found: dict[str, list[str]], time: Doubles) -> list[str]:
    if "request_id" in table.columns:
        return texts_of(table, ["request_id"], "exposures")[0]["request_id"]
    columns = zip(time.tolist(), found["arm"], found["user_id"], strict=True)
    return [f"{at!r} {arm} {user}" for at, arm, user in columns]


def _listed(table: pl.DataFrame) -> list[pl.Series]:
    """Item and team as columns of lists of one length."""
    items = [_ids(cell) for cell in table["items"].to_list()]
    teams = [_ids(cell) for cell in table["teams"].to_list()] if "teams" in table.columns else None
    if teams is None:
        teams = [[""] * len(row) for row in items]
    for at, (row, placed) in enumerate(zip(items, teams, strict=True)):
        if len(row) != len(placed):
            raise DataError(
                f"exposures: row {at + 1}: {len(row)} items and {len(placed)} teams; give each item its team"
            )
    return [pl.Series(name, rows, pl.List(pl.String)) for name, rows in (("item", items), ("team", teams))]


def _ids(cell: Any) -> list[str]:
    """The ids of a list, of JSON or of a text with commas.

    >>> _ids(["7", 8]), _ids('["a, b", 7]'), _ids("a, b"), _ids(None)
    (['7', '8'], ['a, b', '7'], ['a', 'b'], [])
    """
    if isinstance(cell, str) and cell.startswith("["):
        try:
            cell = json.loads(cell)
        except ValueError:
            raise DataError(f"exposures: items {cell[:60]} is not JSON; write ids by comma or as JSON") from None
    if isinstance(cell, list):
        return [as_text(one) for one in cell]
    parts = as_text(cell).split(",")
    return [part.strip() for part in parts] if any(parts) else []


def _whole(rows: pl.DataFrame) -> None:
    """Raise DataError where a request has several users or arms."""
    torn = rows.filter((pl.struct("user", "arm").n_unique() > 1).over("request"))
    if len(torn):
        raise DataError(
            f'exposures: request "{torn["request"][0]}" has several users or arms; give every list an id of its own'
        )


def _two_teams(rows: pl.DataFrame) -> None:
    teams = sorted(set(rows["team"].unique()) - {""})
    if len(teams) not in (0, 2):
        raise DataError(f"exposures: {len(teams)} teams ({', '.join(teams)}); interleaved lists are of two")


def _first(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> int | None:
    found = np.flatnonzero(mask)
    return int(found[0]) if len(found) else None


def _bad(table: pl.DataFrame, what: str, column: str, row: int, message: str) -> DataError:
    return DataError(f'{what}: row {row + 1}: {column} "{as_text(table[column][row])}" {message}')
