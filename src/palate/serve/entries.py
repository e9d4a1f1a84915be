"""Items and people as they are now, kept in the database: what was posted, changed or deleted since training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from palate.serve.tables import items, users

TABLES: Mapping[str, Table] = {"item": items, "user": users}


@dataclass(frozen=True, slots=True)
class Entry:
    """One item or person: its columns by name, as in a catalogue's table; deleted, it has none.

    changed: unix seconds of the server.
    """

    id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False
    changed: float = 0.0


def put(connection: Connection, what: str, entries: list[Entry]) -> list[Entry]:
    """Write entries of one kind ("item" or "user") over what stands there; the later of two with one id counts."""
    table = TABLES[what]
    insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
    key = f"{what}_id"
    for one in {one.id: one for one in entries}.values():
        values = {key: one.id, "fields": dict(one.fields), "deleted": one.deleted, "changed": one.changed}
        statement = insert(table).values(values)
        connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=values))
    return entries


def all_of(engine: Engine, what: str) -> Iterator[Entry]:
    """Every entry of one kind, by id."""
    table = TABLES[what]
    with engine.connect() as connection:
        for row in connection.execute(select(table).order_by(table.c[f"{what}_id"])):
            yield Entry(row[0], row.fields, row.deleted, row.changed)
