"""Files or frames to a Dataset: nothing is dropped without a word, and every decision is in its notes."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from palate.data.catalogue import read_items, read_users, with_users
from palate.data.columns import layout
from palate.data.dataset import Dataset, FrameKind
from palate.data.log import no_log, read_log
from palate.data.problems import NO_GOOD_ROWS, Ledger, write_quarantine
from palate.data.rows import Rows
from palate.data.sources import NAMES, Sources, gather, load
from palate.data.tables import TableName
from palate.errors import ConfigError

Columns = Mapping[str, Mapping[str, str]]
BadRows = Literal["refuse", "quarantine"]
QUARANTINE = Path("quarantine.jsonl")


def read(
    source: str | Path | None = None,
    *,
    events: Any = None,
    items: Any = None,
    users: Any = None,
    columns: Columns | None = None,
    liked: float | None = None,
    bad_rows: BadRows = "refuse",
    quarantine: str | Path | None = None,
) -> Dataset:
    """Read a shop: what there is, who is there and what they did.

    source: a folder with events, items and users as .csv, .tsv, .jsonl or .parquet; users and either of the others may
        be absent. A `palate.toml` in it may map files, columns and `liked`.
    events, items, users: a path, or a polars or pandas frame, instead of or beside the folder.
    columns: where a column goes by a name of its own, {"events": {"user_id": "customer"}}.
    liked: the value from which an event counts as liked; None chooses it from the data.
    bad_rows: "refuse" raises a DataError that lists them; "quarantine" writes them to a file and reads the rest.
    quarantine: that file (.jsonl, .csv or .tsv; an older one is replaced), else `quarantine.jsonl` where you are.

    Ids are text ("007" stays "007"); times become unix seconds; items and users keep the order of their tables.
    """
    if bad_rows not in ("refuse", "quarantine"):
        raise ConfigError(f'bad_rows: {bad_rows!r} is not one of "refuse", "quarantine"')
    ledger = Ledger()
    sources = gather(source, {"events": events, "items": items, "users": users}, columns, liked, ledger)
    data = assemble(sources, ledger)
    if data is None or bad_rows == "refuse":
        ledger.refuse()
    elif ledger.errors():
        path = Path(quarantine or QUARANTINE)
        ledger.note(f"{path}: {write_quarantine(ledger, path)} bad rows put aside, the rest was read")
    assert data is not None  # otherwise the ledger has refused
    return replace(data, notes=ledger.sentences())


def assemble(sources: Sources, ledger: Ledger) -> Dataset | None:
    """The data set of all good rows; None where a whole table cannot be used. What is bad stands in the ledger."""
    tables: dict[TableName, Rows] = {}
    kinds: dict[TableName, FrameKind] = {}
    for name in NAMES:
        if name in sources.tables:
            table, kinds[name] = load(name, sources.tables[name], sources.columns[name], ledger)
            found = layout(table, sources.columns[name], ledger) if table else None
            if table and found:
                tables[name] = Rows(table, found, ledger)
    if ledger.broken:
        return None
    items = read_items(tables["items"]) if "items" in tables else None
    people = read_users(tables["users"]) if "users" in tables else None
    if "events" in tables:
        items, people, log = read_log(tables["events"], items, people, sources.liked)
    else:
        log = no_log(ledger)
    for rows in tables.values():
        if rows.bad.all():
            ledger.file(NO_GOOD_ROWS, rows.table.origin, "")
    if items is None or ledger.broken:
        return None
    frame = kinds.get("events", kinds.get("items", "polars"))
    return Dataset(items, people or with_users(None, []), log, frame)
