"""What has happened since the models were trained, in memory: each person's events, changed items, changed people."""

import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from sys import intern

from palate.serve.entries import Entry
from palate.serve.events import Event


class State:
    """A picture of the database that requests read, brought up to date after each commit, in the commits' order.

    It holds outside ids alone, so that every version reads the same one. A person's events stand in the order of the
    client's clock, those of one moment by event id, whatever the order they came in: late, repeated and reordered
    events lead to the same state as a clean replay.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._events: dict[str, tuple[Event, ...]] = {}
        self._items: dict[str, Entry] = {}
        self._users: dict[str, Entry] = {}
        self._item_changes = 0
        self._places = array("q")  # of the events that are held or were, in the server's order
        self._last_seq = 0

    def happened(self, events: Iterable[Event]) -> None:
        """Take in events that were not there before."""
        fresh = tuple(events)
        with self._turn:
            for user_id, own in _by_person(fresh).items():
                self._events[user_id] = tuple(sorted((*self._events.get(user_id, ()), *own), key=_by_clock))
            self._places.extend(one.seq for one in fresh)
            self._last_seq = self._places[-1] if fresh else self._last_seq

    def forget(self, known: Callable[[Event], bool]) -> None:
        """Keep nothing of events that nobody reads, as every model in use was trained with them."""
        with self._turn:
            left = {user: tuple(one for one in events if not known(one)) for user, events in self._events.items()}
            self._events = {user: events for user, events in left.items() if events}

    def again(self, events: Sequence[Event], last_seq: int) -> None:
        """Hold these instead, in the server's order; last_seq: the place of the newest event of all."""
        found = {user_id: tuple(sorted(own, key=_by_clock)) for user_id, own in _by_person(events).items()}
        with self._turn:
            self._events, self._places = found, array("q", (one.seq for one in events))
            self._last_seq = last_seq

    def changed_items(self, entries: Iterable[Entry]) -> None:
        """Take in items as they are now."""
        with self._turn:
            self._items = self._items | {one.id: one for one in entries}  # readers keep the one they have
            self._item_changes += 1

    def changed_users(self, entries: Iterable[Entry]) -> None:
        """Take in people as they are now."""
        with self._turn:
            self._users.update({one.id: one for one in entries})

    def erased(self, mark: Entry) -> None:
        """Keep nothing of someone but the mark that they are not to be known."""
        with self._turn:
            self._users[mark.id] = mark
            self._events.pop(mark.id, None)

    def events_of(self, user_id: str) -> tuple[Event, ...]:
        """In the order of the client's clock."""
        return self._events.get(user_id, ())

    def user(self, user_id: str) -> Entry | None:
        """What was posted of someone."""
        return self._users.get(user_id)

    def item(self, item_id: str) -> Entry | None:
        """What was posted of an item."""
        return self._items.get(item_id)

    @property
    def items(self) -> dict[str, Entry]:
        """Every changed item by id; never altered once it is given."""
        return self._items

    @property
    def item_changes(self) -> int:
        """How often items changed: what was computed of an equal number still holds."""
        return self._item_changes

    @property
    def last_seq(self) -> int:
        """The place of the newest event in the server's order, 0 where there is none."""
        return self._last_seq

    def count_after(self, seq: int) -> int:
        """How many events came after a place in the server's order, which has gaps where events were sent again.

        Right for places after which nothing was left out by `again`.
        """
        return len(self._places) - bisect_right(self._places, seq)


def _by_person(events: Iterable[Event]) -> dict[str, list[Event]]:
    """Each person's, with ids and kinds that events have in common held once: a third less memory."""
    found: dict[str, list[Event]] = {}
    for one in events:
        user_id, item_id, kind = map(intern, (one.user_id, one.item_id, one.kind))
        own = Event(one.event_id, user_id, item_id, one.time, one.value, kind, one.text, one.seq)
        found.setdefault(user_id, []).append(own)
    return found


def _by_clock(event: Event) -> tuple[float, str]:
    return event.time, event.event_id
