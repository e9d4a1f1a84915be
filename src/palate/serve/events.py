"""The durable log of what people did: rows in, acknowledged once they are on disk, each id once; rows out in order."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlalchemy import Column, Connection, Engine, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from palate.errors import ConflictError
from palate.serve.tables import events, exposures

T = TypeVar("T")

PART = 500  # rows in one statement


@dataclass(frozen=True, slots=True)
class Event:
    """What someone did with an item: outside ids, unix seconds by the client's clock, and what the client said of it.

    seq: its place in the server's order, 0 until it has one.
    """

    event_id: str
    user_id: str
    item_id: str
    time: float
    value: float | None = None
    kind: str = ""
    text: str = ""
    seq: int = 0

    @property
    def digest(self) -> str:
        """The same for the same content alone; not the time, which is the server's where the client gives none."""
        told = repr((self.user_id, self.item_id, self.value, self.kind, self.text))
        return hashlib.sha256(told.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of some events: those that are new, with their place in the order, and the ids that were known."""

    new: tuple[Event, ...]
    repeated: tuple[str, ...]


def append(connection: Connection, given: Sequence[Event]) -> Receipt:
    """Write the events that are not there yet, in the order given; an event sent again changes nothing.

    Raises ConflictError where an id is known for another event; then none of them is written.
    """
    distinct: dict[str, Event] = {}
    for one in given:
        if distinct.setdefault(one.event_id, one).digest != one.digest:
            raise _conflict(one.event_id)
    names = list(distinct)
    known = dict(_found(connection, events.c.digest, names))
    for name, digest in known.items():
        if digest != distinct[name].digest:
            raise _conflict(name)
    fresh = [name for name in names if name not in known]
    if fresh:
        insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
        once = insert(events).on_conflict_do_nothing(index_elements=[events.c.event_id])
        connection.execute(once, [_row(distinct[name]) for name in fresh])
    numbers = dict(_found(connection, events.c.seq, fresh))
    new = tuple(replace(distinct[name], seq=numbers[name]) for name in fresh)
    return Receipt(new, tuple(name for name in names if name in known))


def _found(connection: Connection, column: Column[T], names: Sequence[str]) -> Iterator[tuple[str, T]]:
    """The events of these ids that are there: id and that column of each."""
    for start in range(0, len(names), PART):
        there = select(events.c.event_id, column).where(events.c.event_id.in_(names[start : start + PART]))
        for row in connection.execute(there):
            yield row[0], row[1]


def _row(event: Event) -> dict[str, object]:
    columns = ("event_id", "user_id", "item_id", "time", "value", "kind", "text", "digest")
    return {name: getattr(event, name) for name in columns}


def since(engine: Engine, seq: int) -> Iterator[Event]:
    """The events after that place in the order, in order."""
    with engine.connect() as connection:
        rows = connection.execution_options(yield_per=5000).execute(
            select(events).where(events.c.seq > seq).order_by(events.c.seq)
        )
        for row in rows:
            yield _event(row)


def of_user(engine: Engine, user_id: str) -> list[Event]:
    """All that is logged of a user, in order."""
    with engine.connect() as connection:
        rows = connection.execute(select(events).where(events.c.user_id == user_id).order_by(events.c.seq))
        return [_event(row) for row in rows]


def newest(engine: Engine, n: int) -> list[Event]:
    """The last `n` events, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(events).order_by(events.c.seq.desc()).limit(n))
        return [_event(row) for row in rows]


def last_seq(engine: Engine) -> int:
    """The place of the newest event, 0 where there is none."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())


def erase(connection: Connection, user_id: str) -> dict[str, int]:
    """Remove all that is logged of a user; how many rows of each table."""
    gone = {}
    for table in (events, exposures):
        gone[table.name] = int(connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount)
    return gone


def _event(row: Row[tuple[object, ...]]) -> Event:
    found = row._mapping
    return Event(**{name: found[name] for name in Event.__slots__})


def _conflict(event_id: str) -> ConflictError:
    return ConflictError(f'event_id "{event_id}" stands for another event already; give each event an id of its own')
