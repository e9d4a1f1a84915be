"""CSV and TSV files to tables of text: polars for plain files, Python's csv module wherever anything is unusual.

A file is plain when it holds no quote, polars can read it and no last field is empty (a short row or a blank line would
look like that); then row r stands on line r + 2. In any other file the csv module finds the records, the true lines on
which they start, and the broken ones. Both ways give the same rows.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import polars as pl

from palate.data.columns import clean_header, number_columns
from palate.data.problems import BYTES, EMPTY, FIELDS, LATIN, NO_ROWS, QUOTES, Kind, Ledger
from palate.data.tables import Origin, Table, TableName, decode, longs, split_lines

SEPARATORS = ",;\t|"
TAB_SUFFIXES = (".tsv", ".inter", ".item", ".user")  # the last three are RecBole's


def read_delimited(name: TableName, path: Path, chosen: Mapping[str, str], ledger: Ledger) -> Table | None:
    """A table of text columns, null or "" where a field is empty; None (and a report) where there is no table.

    Columns that play the part of a number come as numbers if all their values are.
    """
    origin = Origin(str(path), path)
    raw = path.read_bytes()
    return _plain(name, raw, chosen, origin) or _careful(name, raw, origin, ledger)


def _plain(name: TableName, raw: bytes, chosen: Mapping[str, str], origin: Origin) -> Table | None:
    """The fast way, or None where the file is not plain."""
    if b'"' in raw or (b"\r" in raw and raw.count(b"\r") != raw.count(b"\r\n")):
        return None
    try:
        first, second = (line.decode("utf-8-sig").rstrip("\r\n") for line in islice(io.BytesIO(raw), 2))
    except (UnicodeDecodeError, ValueError):
        return None
    separator = _separator(origin, first)
    header = clean_header(first.split(separator), origin, Ledger())
    if not header or not first.strip():
        return None
    numbers = number_columns(name, header, chosen)
    likely = zip(header, second.split(separator), strict=False)
    kinds = {column: _kind(value) for column, value in likely if column in numbers}
    for schema in ({column: kinds.get(column, pl.String) for column in header}, dict.fromkeys(header, pl.String)):
        try:
            frame = pl.read_csv(raw, separator=separator, schema=schema, quote_char=None)
        except pl.exceptions.PolarsError:
            continue
        usual = frame.height and not frame[header[-1]].null_count()
        return Table(name, origin, frame, first=2) if usual else None
    return None


def _kind(value: str) -> type[pl.DataType]:
    """What a column seems to hold, judged by its first value; polars reads whole numbers faster than others."""
    if value.isascii() and value.isdigit():
        return pl.Int64
    return pl.String if any(sign in value for sign in "-:") else pl.Float64


def _careful(name: TableName, raw: bytes, origin: Origin, ledger: Ledger) -> Table | None:
    """The way of the csv module, line by line."""
    decoded = decode(raw)
    if decoded.encoding == "latin-1":
        ledger.file(LATIN, origin, "")
    elif decoded.encoding == "utf-16":
        ledger.note(f"{origin.place}: read as UTF-16")
    lines = split_lines(decoded.text)
    start = next((place for place, line in enumerate(lines) if line.strip()), None)
    if start is None:
        ledger.file(EMPTY, origin, "")
        return None
    records = _records(lines, _separator(origin, lines[start]), start)
    _, _, first = next(records)
    header = clean_header(first, origin, ledger) if not isinstance(first, Kind) else None
    if isinstance(first, Kind):
        ledger.file(first, origin, "header", lines[start].strip(), line=start + 1)
    if header is None:
        return None
    good: list[tuple[int, int, list[str]]] = []
    for line, end, record in records:
        kind, column, value = _judge(record, header, decoded.damaged)
        if kind is None and not isinstance(record, Kind):
            good.append((line, end, record))
        elif kind is not None:
            value = value or "".join(lines[line - 1 : end - 1]).strip()
            ledger.lines(kind, origin, longs([line]), longs([end]), column, [value])
    if not good:
        ledger.file(NO_ROWS, origin, "")
        return None
    starts, ends, rows = zip(*good, strict=True)
    columns = zip(*rows, strict=True)
    frame = pl.DataFrame([pl.Series(key, column, pl.String) for key, column in zip(header, columns, strict=True)])
    return Table(name, origin, frame, longs(starts), longs(ends))


def _judge(record: list[str] | Kind, header: list[str], damaged: bool) -> tuple[Kind | None, str, str]:
    """What is wrong with a record, in which column, with which value ("" for all of it)."""
    if isinstance(record, Kind):
        return record, "row", ""
    if len(record) != len(header):
        return FIELDS, "row", ""
    if damaged:
        broken = [(key, value) for key, value in zip(header, record, strict=True) if "\ufffd" in value]
        return (BYTES, *broken[0]) if broken else (None, "", "")
    return None, "", ""


def _records(lines: list[str], separator: str, start: int) -> Iterator[tuple[int, int, list[str] | Kind]]:
    """(first line, line after the last, fields or what is wrong); blank lines are passed over.

    After a quote that never closes, reading goes on at the very next line, so that one bad row costs one row.
    """
    while start < len(lines):
        reader = csv.reader(map(lines.__getitem__, range(start, len(lines))), delimiter=separator, strict=True)
        used = 0
        try:
            for record in reader:
                if len(record) > 1 or "".join(record).strip():
                    yield start + used + 1, start + reader.line_num + 1, record
                used = reader.line_num
            return
        except csv.Error:
            yield start + used + 1, start + used + 2, QUOTES
            start += used + 1


def _separator(origin: Origin, header: str) -> str:
    """Tab for .tsv and RecBole's files, else what the header holds most of."""
    if origin.place.lower().endswith(TAB_SUFFIXES):
        return "\t"
    return max(SEPARATORS, key=header.count)
