"""One raw table under judgement: its columns as values, and which rows are bad."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from palate.data.columns import Layout
from palate.data.problems import CONTROL, FLOAT_ID, NO_ID, SPACES, Kind, Ledger
from palate.data.tables import Table
from palate.data.values import EXACT, texts
from palate.types import Bools, Ints

Factors = tuple[Ints, pl.Series]
_CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"  # tabs and line ends are text


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """bad: (N,) the rows that were refused so far."""

    table: Table
    layout: Layout
    ledger: Ledger
    bad: Bools = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bad", np.zeros(self.table.frame.height, np.bool_))

    def has(self, part: str) -> bool:
        """Whether a column plays this part."""
        return part in self.layout.parts

    def raw(self, part: str) -> pl.Series:
        """(N,) the column that plays a part, as it came."""
        return self.table.frame[self.layout.parts[part]]

    def text(self, column: str) -> pl.Series:
        """(N,) a column as text; rows that hold control characters are refused."""
        found = texts(self.table.frame[column])
        self.report(CONTROL, column, found.str.contains(_CONTROLS))
        return found

    def report(self, kind: Kind, column: str, mask: pl.Series | Bools) -> None:
        """Report the rows of a mask (N,); an error makes them bad."""
        rows = np.flatnonzero(np.asarray(mask, np.bool_))
        if len(rows):
            values = texts(self.table.frame[column].gather(rows)).to_list()
            self.ledger.rows(kind, self.table, rows, column, values)
            if kind.severity == "error":
                self.bad[rows] = True

    def ids(self, part: str) -> tuple[Ints, list[str]]:
        """(N,) numbers of the rows' ids, and the ids so numbered in the order of their text.

        Spaces around an id do not belong to it; what is no id is refused.
        """
        raw, column = self.raw(part), self.layout.parts[part]
        codes, distinct = factorise(raw)
        if raw.dtype.is_float():
            whole = (raw == raw.floor()) & (raw.abs() < EXACT)
            self.report(FLOAT_ID, column, raw.is_not_null() & raw.is_not_nan() & ~whole)
        clean = distinct.str.strip_chars()
        for kind, which in (
            (NO_ID, clean == ""),
            (CONTROL, distinct.str.contains(_CONTROLS)),
            (SPACES, (clean != distinct) & (clean != "")),
        ):
            if which.any():
                self.report(kind, column, which.to_numpy()[codes])
        if (clean == distinct).all():
            return codes, distinct.to_list()
        inner, distinct = factorise(clean)
        return inner[codes], distinct.to_list()


def factorise(column: pl.Series) -> Factors:
    """(N,) a number for each text, and the distinct texts in order, which the numbers count.

    >>> codes, distinct = factorise(pl.Series([9, 10, 9]))
    >>> codes, distinct.to_list()
    (array([1, 0, 1], dtype=int32), ['10', '9'])
    """
    codes, distinct = _by_table(column) if _dense(column) else _by_hash(texts(column))
    order = distinct.arg_sort().to_numpy()
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return rank[codes], distinct.gather(order)


def _dense(column: pl.Series) -> bool:
    """Whether a column holds whole numbers that span not much more than its length."""
    if not column.dtype.is_integer() or column.null_count() or not len(column):
        return False
    low, high = int(column.min()), int(column.max())  # type: ignore[arg-type]
    return high - low < 4 * len(column) and high < 2**63


def _by_table(column: pl.Series) -> Factors:
    """Each number is its own place in a table, which is several times faster than hashing texts."""
    numbers = column.cast(pl.Int64).to_numpy()
    low = numbers.min()
    places = numbers - low
    present = np.zeros(places.max() + 1, np.bool_)
    present[places] = True
    codes = np.cumsum(present, dtype=np.int32) - 1
    return codes[places], texts(pl.Series(np.flatnonzero(present) + low))


def _by_hash(column: pl.Series) -> Factors:
    codes = column.cast(pl.Categorical(pl.Categories.random())).to_physical().to_numpy()
    example = np.zeros(int(codes.max()) + 1, np.int64)  # for each code a row that holds it
    example[codes] = np.arange(len(codes))
    return codes, column.gather(example)
