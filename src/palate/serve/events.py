"""The durable log of what people did: rows in, acknowledged once they are on disk, each id once; rows out in order."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from palate.errors import ConflictError
from palate.serve.tables import events, exposures

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


_EVENTS = select(*(events.c[name] for name in Event.__slots__))  # a row of it is an event's values in their order


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
        first = distinct.setdefault(one.event_id, one)
        if first is not one and first.digest != one.digest:
            raise _conflict(one.event_id)
    known = _known(connection, distinct)
    fresh = [one for name, one in distinct.items() if name not in known]
    numbers = _inserted(connection, fresh) if fresh else {}
    if len(numbers) < len(fresh):  # another process wrote the others in the meantime
        known |= _known(connection, {one.event_id: one for one in fresh if one.event_id not in numbers})
    new = tuple(_placed(one, numbers[one.event_id]) for one in fresh if one.event_id in numbers)
    return Receipt(new, tuple(name for name in distinct if name in known))


def _known(connection: Connection, given: Mapping[str, Event]) -> set[str]:
    """Which of these ids are there, each for the same event. Raises ConflictError where it is another."""
    names, found = list(given), set[str]()
    for start in range(0, len(names), PART):
        there = select(events.c.event_id, events.c.digest).where(events.c.event_id.in_(names[start : start + PART]))
        for name, digest in connection.execute(there):
            if digest != given[name].digest:
                raise _conflict(name)
            found.add(name)
    return found


def _inserted(connection: Connection, fresh: Sequence[Event]) -> dict[str, int]:
    """Write events in the order given, many in one statement; the place of each by its id.

    One statement for each would give up the interpreter as often, and wait for it as often where others compute.
    """
    insert = insert_sqlite if connection.dialect.name == "sqlite" else insert_postgresql
    once = insert(events).on_conflict_do_nothing(index_elements=[events.c.event_id])
    written = connection.execute(once.returning(events.c.event_id, events.c.seq), [_row(one) for one in fresh])
    return {row[0]: row[1] for row in written}


def _row(event: Event) -> dict[str, object]:
    return {
        "event_id": event.event_id, "user_id": event.user_id, "item_id": event.item_id, "time": event.time,
        "value": event.value, "kind": event.kind, "text": event.text, "digest": event.digest,
    }  # fmt: skip


def _placed(event: Event, seq: int) -> Event:
    return Event(
        event.event_id, event.user_id, event.item_id, event.time, event.value, event.kind, event.text, seq
    )  # `replace` takes six times as long


def since(engine: Engine, seq: int) -> Iterator[Event]:
    """The events after that place in the order, in order."""
    with engine.connect() as connection:
        yield from of_log(connection.execution_options(yield_per=5000), seq)


def of_log(connection: Connection, seq: int = 0, until: float = math.inf) -> Iterator[Event]:
    """The same within a transaction, which sees what it has written itself; and earlier ones that are later than
    `until` by the client's clock."""
    wanted = events.c.seq > seq
    if math.isfinite(until):
        wanted |= events.c.time > until
    for row in connection.execute(_EVENTS.where(wanted).order_by(events.c.seq)):
        yield Event(*row)


def of_user(engine: Engine, user_id: str) -> list[Event]:
    """All that is logged of a user, in order."""
    with engine.connect() as connection:
        rows = connection.execute(_EVENTS.where(events.c.user_id == user_id).order_by(events.c.seq))
        return [Event(*row) for row in rows]


def newest(engine: Engine, n: int) -> list[Event]:
    """The last `n` events, the newest first."""
    with engine.connect() as connection:
        rows = connection.execute(_EVENTS.order_by(events.c.seq.desc()).limit(n))
        return [Event(*row) for row in rows]


def last_seq(engine: Engine) -> int:
    """The place of the newest event, 0 where there is none."""
    with engine.connect() as connection:
        return last_of_log(connection)


def last_of_log(connection: Connection) -> int:
    """The same within a transaction."""
    return int(connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())


def erase(connection: Connection, user_id: str) -> dict[str, int]:
    """Remove all that is logged of a user; how many rows of each table."""
    gone = {}
    for table in (events, exposures):
        gone[table.name] = int(connection.execute(delete(table).where(table.c.user_id == user_id)).rowcount)
    return gone


def _conflict(event_id: str) -> ConflictError:
    return ConflictError(f'event_id "{event_id}" stands for another event already; give each event an id of its own')
