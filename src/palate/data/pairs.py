"""Pairs of user and item that the caller wants scored or ranked: a path or a frame to two lists of ids."""

from dataclasses import dataclass
from typing import Any

from palate.data.columns import layout
from palate.data.dataset import FrameKind
from palate.data.problems import Ledger
from palate.data.rows import Rows
from palate.data.sources import load


@dataclass(frozen=True, slots=True)
class Pairs:
    """user_ids, item_ids: of equal length, in the order of the rows; frame: the kind that the answer comes back in."""

    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    frame: FrameKind


def read_pairs(given: Any) -> Pairs:
    """Read the columns user_id and item_id (or well-known names for them); raises DataError where a row lacks one."""
    ledger = Ledger()
    table, kind = load("pairs", given, {}, ledger)
    found = layout(table, {}, ledger) if table else None
    rows = Rows(table, found, ledger) if table and found else None
    pairs = Pairs(_ids(rows, "user_id"), _ids(rows, "item_id"), kind) if rows else None
    ledger.refuse()
    assert pairs is not None  # otherwise the ledger has refused
    return pairs


def _ids(rows: Rows, part: str) -> tuple[str, ...]:
    codes, names = rows.ids(part, rows.factors(part))
    return tuple(names[code] for code in codes.tolist())
