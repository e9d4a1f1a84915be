"""JSON Lines files to tables of text, with the line of every object."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from palate.data.columns import clean_header
from palate.data.problems import BYTES, EMPTY, LATIN, NO_ROWS, NOT_JSON, Faults, Kind, Ledger
from palate.data.tables import Origin, Table, TableName, decode, longs, split_lines
from palate.data.values import as_text


def read_json_lines(name: TableName, path: Path, ledger: Ledger) -> Table | None:
    """A table of text columns, one for every key that occurs; None (and a report) where there is no object."""
    origin = Origin(str(path), path)
    decoded = decode(path.read_bytes())
    if decoded.encoding == "latin-1":
        ledger.file(LATIN, origin, "")
    if not decoded.text.strip():
        ledger.file(EMPTY, origin, "")
        return None
    faults = Faults(origin)
    good: list[tuple[int, dict[str, Any]]] = []
    for line, text in enumerate(split_lines(decoded.text), 1):
        record = _parse(text, decoded.damaged)
        if isinstance(record, dict):
            good.append((line, record))
        elif record is not None:
            faults.add(record, "row", line, line + 1, text.strip())
    faults.report(ledger)
    keys = list(dict.fromkeys(key for _, record in good for key in record))
    header = clean_header(keys, origin, ledger)
    if not keys:
        ledger.file(NO_ROWS, origin, "")
    if not keys or header is None:
        return None
    columns = {clean: [as_text(record.get(key)) for _, record in good] for clean, key in zip(header, keys, strict=True)}
    lines = longs(line for line, _ in good)
    return Table(name, origin, pl.DataFrame(columns, dict.fromkeys(header, pl.String)), lines, lines + 1)


def _parse(text: str, damaged: bool) -> dict[str, Any] | Kind | None:
    """The object on a line, what is wrong with it, or None for a blank line."""
    if not text.strip():
        return None
    if damaged and "\ufffd" in text:
        return BYTES
    try:
        record = json.loads(text)
        json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return BYTES
    except (ValueError, RecursionError):
        return NOT_JSON
    return record if isinstance(record, dict) else NOT_JSON
