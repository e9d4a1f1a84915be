"""A raw table as it came from a file or a frame: its columns, and where in the source each row stands."""

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from palate.types import Longs

TableName = Literal["events", "items", "users"]

WHOLE = -1  # the line of what concerns a file as a whole
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a table came from: a text file (`path`), or rows of a `frame` that have no text of their own."""

    place: str
    path: Path | None = None
    frame: pl.DataFrame | None = None

    @property
    def header(self) -> int:
        """The line that names the columns; a frame has none."""
        return 1 if self.frame is None else WHOLE

    def at(self, line: int) -> str:
        """`events.csv:7` for line 7 of a file, `events[7]` for row 7 of a frame, counted from 0 as frames do."""
        if line == WHOLE:
            return self.place
        return f"{self.place}:{line}" if self.frame is None else f"{self.place}[{line}]"

    def records(self, lines: Longs, ends: Longs) -> list[str]:
        """The original text of the records that start on `lines` and end before `ends`; a frame's row as JSON."""
        if self.frame is not None:
            return [json.dumps(row, ensure_ascii=False, default=str) for row in self.frame[lines].to_dicts()]
        if self.path is None:
            return [""] * len(lines)
        text = split_lines(decode(self.path.read_bytes()).text)
        return ["".join(text[line - 1 : end - 1]).rstrip("\r\n") for line, end in zip(lines, ends, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows that could be taken apart; what they hold is not judged yet.

    lines, ends: per row the line it starts on and the line after its last; None where row r is line r + `first`.
    """

    name: TableName
    origin: Origin
    frame: pl.DataFrame
    lines: Longs | None = None
    ends: Longs | None = None
    first: int = 0

    def where(self, rows: Longs) -> tuple[Longs, Longs]:
        """The lines on which rows start, and the lines after their last."""
        if self.lines is None or self.ends is None:
            return rows + self.first, rows + self.first + 1
        return self.lines[rows], self.ends[rows]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text with the name of its encoding; `damaged` where bytes had to be replaced by U+FFFD."""

    text: str
    encoding: str
    damaged: bool = False


def decode(raw: bytes) -> Decoded:
    """Bytes to text: by byte order mark, else UTF-8, else Latin-1.

    A file that is mostly UTF-8 (more valid multi-byte characters than broken bytes) stays UTF-8 with U+FFFD in the
    broken places, so that one bad byte does not garble every Chinese title.

    >>> decode("café".encode("latin-1"))
    Decoded(text='café', encoding='latin-1', damaged=False)
    """
    encoding = next((name for mark, name in _BOMS.items() if raw.startswith(mark)), "utf-8")
    try:
        return Decoded(raw.decode(encoding), encoding)
    except UnicodeDecodeError:
        text = raw.decode(encoding, "replace")
    broken = text.count("\ufffd")
    if encoding != "utf-8" or sum(not char.isascii() for char in text) > 2 * broken:
        return Decoded(text, encoding, damaged=True)
    return Decoded(raw.decode("latin-1"), "latin-1")


def split_lines(text: str) -> list[str]:
    """Lines with their ends kept; only carriage returns and line feeds end a line."""
    return list(io.StringIO(text, newline=""))


def longs(values: Iterable[int]) -> Longs:
    """(N,) int64"""
    return np.fromiter(values, np.int64)
