"""CSV and TSV files to tables of text: polars for plain files, Python's csv module wherever anything is unusual.

A file is plain when it holds no quote, polars can read it and no last field is empty (a short row or a blank line would
look like that); then row r stands on line r + 2. In any other file the csv module finds the records, the true lines on
which they start, and the broken ones. Both ways give the same rows.
"""

import csv
import io
import re
from array import array
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from palate.data.columns import clean_header, whole_columns
from palate.data.problems import BYTES, EMPTY, FIELDS, LATIN, NO_ROWS, QUOTES, Faults, Kind, Ledger
from palate.data.tables import Origin, Table, TableName, decode, longs, split_lines

_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")
SEPARATORS = ",;\t|"
TAB_SUFFIXES = (".tsv", ".inter", ".item", ".user")  # the last three are RecBole's


def read_delimited(name: TableName, path: Path, chosen: Mapping[str, str], ledger: Ledger) -> Table | None:
    """A table of text columns, null or "" where a field is empty; None (and a report) where there is no table.

    Ids, times and values come as whole numbers where all in a column are written as such (so not "007").
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
    countable = whole_columns(name, header, chosen)
    texts = dict.fromkeys(header, pl.String)
    likely = zip(header, second.split(separator), strict=False)
    whole = {column: pl.Int64 for column, value in likely if column in countable and _WHOLE.fullmatch(value)}
    for schema in (texts | whole, texts):
        try:
            frame = pl.read_csv(raw, separator=separator, schema=schema, quote_char=None)
        except pl.exceptions.PolarsError:
            continue
        if schema != texts and not _as_written(frame, raw):
            continue
        usual = frame.height and not frame[header[-1]].null_count()
        return Table(name, origin, frame, first=2) if usual else None
    return None


def _as_written(frame: pl.DataFrame, raw: bytes) -> bool:
    """Whether no whole number was written with zeros or signs that it does not need, so that its text is known.

    Any such character would make the file longer than its numbers, texts, separators and line ends.
    """
    end = 2 if b"\r" in raw else 1
    size = len(raw) - raw.find(b"\n") - 1 + (0 if raw.endswith(b"\n") else end)
    return size == frame.height * (frame.width - 1 + end) + sum(map(_characters, frame))


def _characters(column: pl.Series) -> int:
    """How many bytes the values take when written in the shortest way."""
    if column.dtype == pl.String:
        return int(column.str.len_bytes().sum())
    numbers = column.drop_nulls().to_numpy()
    size = np.abs(numbers)
    digits = sum(int(np.count_nonzero(size >= 10**power)) for power in range(1, len(str(size.max(initial=0)))))
    return digits + len(numbers) + int(np.count_nonzero(numbers < 0))


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
    if not first:
        ledger.file(QUOTES, origin, "header", lines[start].strip(), line=start + 1)
        return None
    header = clean_header(first, origin, ledger)
    if header is None:
        return None
    faults = Faults(origin)
    starts, ends, columns = array("q"), array("q"), [list[str]() for _ in header]
    for line, end, record in records:
        fault = _fault(record, header, decoded.damaged)
        if fault is not None:
            kind, column_name, value = fault
            faults.add(kind, column_name, line, end, value or "".join(lines[line - 1 : end - 1]).strip())
            continue
        starts.append(line)
        ends.append(end)
        for column, field in zip(columns, record, strict=True):
            column.append(field)
    faults.report(ledger)
    if not starts:
        ledger.file(NO_ROWS, origin, "")
        return None
    frame = pl.DataFrame(dict(zip(header, columns, strict=True)), dict.fromkeys(header, pl.String))
    return Table(name, origin, frame, longs(starts), longs(ends))


def _fault(record: list[str], header: list[str], damaged: bool) -> tuple[Kind, str, str] | None:
    """What is wrong with a record, in which column, with which value ("" for all of it)."""
    if not record:
        return QUOTES, "row", ""
    if len(record) != len(header):
        return FIELDS, "row", ""
    if damaged:
        broken = ((BYTES, column, field) for column, field in zip(header, record, strict=True) if "\ufffd" in field)
        return next(broken, None)
    return None


def _records(lines: list[str], separator: str, start: int) -> Iterator[tuple[int, int, list[str]]]:
    """(first line, line after the last, fields); no fields where quotes are broken. Blank lines are passed over.

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
            yield start + used + 1, start + used + 2, []
            start += used + 1


def _separator(origin: Origin, header: str) -> str:
    """Tab for .tsv and RecBole's files, else what the header holds most of."""
    if origin.place.lower().endswith(TAB_SUFFIXES):
        return "\t"
    return max(SEPARATORS, key=header.count)
