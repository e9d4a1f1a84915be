"""An events table to Events: ids to row numbers, times and values checked, sorted, exact repeats left out."""

from dataclasses import replace
from time import time as now

import numpy as np
import polars as pl

from palate.data.catalogue import bare_items, with_users
from palate.data.dataset import Catalogue, Clock, Events, IdMap, People
from palate.data.liked import what_is_liked
from palate.data.problems import BAD_NUMBER, BAD_TIME, EARLY, FUTURE, NEW_USER, SAME_EVENT, UNKNOWN_ITEM, Ledger
from palate.data.rows import Rows
from palate.data.sorting import spread, time_order
from palate.data.values import Doubles, numbers, times
from palate.types import Bools, Floats, Ints, Longs

DAY = 86_400.0  # clocks may run ahead by this much


def read_log(
    rows: Rows, items: Catalogue | None, people: People | None, threshold: float | None
) -> tuple[Catalogue, People, Events]:
    """The events, with the catalogue and the people that they are about.

    Without an items table the catalogue is the ids in the log, in the order of their text; users who are in no table
    follow in the same order, so that row numbers tell nothing about time.
    """
    user, user_names = rows.ids("user_id")
    item, item_names = rows.ids("item_id")
    time, clock = _clock(rows)
    value = _value(rows)
    extra = {part: rows.text(rows.layout.parts[part]) for part in ("kind", "text") if rows.has(part)}
    if items is not None:
        unknown = np.array([bool(name) and name not in items.ids for name in item_names], np.bool_)
        rows.report(UNKNOWN_ITEM, rows.layout.parts["item_id"], unknown[item])
    if items is None:
        rows.ledger.note("no items table: the catalogue is the ids in the events, which stand in for titles")
        items = bare_items(_in_use(item, item_names, rows.bad))
    everyone = _everyone(rows, people, user, user_names)
    user, item = _numbered(everyone.ids, user, user_names), _numbered(items.ids, item, item_names)
    in_time = time_order(time)
    kept = in_time[~rows.bad[in_time]] if rows.bad.any() else in_time
    order = spread(kept, user[kept], len(everyone))
    events = Events(
        user=user[order],
        item=item[order],
        time=time[order],
        value=np.ones(len(order), np.float32) if value is None else value[order],
        liked=np.ones(len(order), np.bool_),
        clock=clock,
        **{part: tuple(column.gather(order).to_list()) for part, column in extra.items()},
    )
    again = _repeats(events)
    if len(again):
        rows.report(SAME_EVENT, rows.layout.parts["item_id"], _mask(order[again], len(rows.bad)))
        events = events.where(~_mask(again, len(events)))
    liked, why = what_is_liked(None if value is None else events.value, threshold)
    rows.ledger.note(why)
    return items, everyone, events if liked is None else replace(events, liked=liked)


def no_log(ledger: Ledger) -> Events:
    """The events of a shop that has none yet."""
    ledger.note("no events: only texts can be learnt from")
    none = np.zeros(0, np.int32)
    return Events(none, none, np.zeros(0), np.zeros(0, np.float32), np.zeros(0, np.bool_), clock="none")


def _clock(rows: Rows) -> tuple[Doubles, Clock]:
    """(N,) the time, else the order column, else zeros."""
    place = rows.table.origin.place
    if rows.has("time"):
        column = rows.layout.parts["time"]
        seconds, how = times(rows.raw("time"))
        rows.ledger.note(f"{place}: {column} is read as {how}")
        rows.report(BAD_TIME, column, np.isnan(seconds))
        rows.report(EARLY, column, seconds < 0.0)
        rows.report(FUTURE, column, seconds > now() + DAY)
        return seconds, "time"
    if rows.has("position"):
        order = numbers(rows.raw("position"))
        rows.report(BAD_NUMBER, rows.layout.parts["position"], np.isnan(order))
        rows.ledger.note(f"{place}: no times, {rows.layout.parts['position']} gives the order")
        return order, "order"
    rows.ledger.note(f"{place}: neither times nor an order, so that splits can only be random")
    return np.zeros(len(rows.bad)), "none"


def _value(rows: Rows) -> Floats | None:
    """(N,) the value, None where there is no such column."""
    if not rows.has("value"):
        return None
    found = numbers(rows.raw("value"))
    with np.errstate(over="ignore"):
        value = found.astype(np.float32)
    rows.report(BAD_NUMBER, rows.layout.parts["value"], ~np.isfinite(value))
    return value


def _in_use(codes: Ints, names: list[str], bad: Bools) -> list[str]:
    """The names that occur in rows that are not bad, in their order."""
    if not bad.any():
        return names
    counts = np.bincount(codes[~bad], minlength=len(names))
    return [name for name, count in zip(names, counts.tolist(), strict=True) if count]


def _everyone(rows: Rows, people: People | None, user: Ints, names: list[str]) -> People:
    """The people of the table and, reported with their first event, those who are only in the log."""
    used = _in_use(user, names, rows.bad)
    if people is None:
        return with_users(None, used)
    new = {name for name in used if name not in people.ids}
    good = np.flatnonzero(~rows.bad)
    codes, first = np.unique(user[good], return_index=True)
    their_first = good[first[[names[code] in new for code in codes]]]
    rows.report(NEW_USER, rows.layout.parts["user_id"], _mask(their_first, len(rows.bad)))
    return with_users(people, sorted(new))


def _numbered(ids: IdMap, codes: Ints, names: list[str]) -> Ints:
    """(N,) the row numbers of ids that are given as codes into `names`, -1 where an id has none."""
    return codes if ids.ids == tuple(names) else ids.rows(names)[codes]


def _repeats(events: Events) -> Longs:
    """The events that equal an earlier one in everything; without a clock they are further events, not repeats."""
    user, time = events.user, events.time
    tied = np.zeros(len(events), np.bool_)
    if events.clock != "none":
        tied[1:] = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
        tied[:-1] |= tied[1:]
    among = np.flatnonzero(tied)
    columns = {"user": user[among], "item": events.item[among], "time": time[among], "value": events.value[among]}
    texts = {
        part: [column[row] for row in among]
        for part, column in (("kind", events.kind), ("text", events.text))
        if column
    }
    first = pl.DataFrame({**columns, **texts}).select(pl.struct(pl.all()).is_first_distinct()).to_series()
    again: Longs = among[~first.to_numpy()]
    return again


def _mask(places: Longs | Ints, size: int) -> Bools:
    mask = np.zeros(size, np.bool_)
    mask[places] = True
    return mask
