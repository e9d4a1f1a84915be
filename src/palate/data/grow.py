"""A Dataset and what happened since to the Dataset of today: more events, other items, people who are forgotten."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.types import Bools, Ints

Columns = Mapping[str, str]  # of one item or person, by name


@dataclass(frozen=True, slots=True)
class Happening:
    """What someone did with an item, in outside ids; time in unix seconds; value None is simply liked."""

    user_id: str
    item_id: str
    time: float
    value: float | None = None
    kind: str = ""
    text: str = ""


def grown(
    data: Dataset,
    happenings: Sequence[Happening],
    items: Mapping[str, Columns | None],
    users: Mapping[str, Columns],
    forgotten: Collection[str] = (),
) -> Dataset:
    """The data with more events, and with items and people as they are now.

    items: the columns of those that are new or changed, None for those that are gone, whose events go too. users: the
    same. forgotten: people of whom nothing in `data` is kept, neither events nor words; `happenings` of theirs count,
    and `users`.
    Those who are new stand behind those who were there, in the order of their text. An event with a value counts as
    liked from the smallest value on that was liked before. Happenings with items that are nowhere are left out.
    """
    catalogue, item_rows = _catalogue(data.items, items)
    stay = np.array([name not in forgotten for name in data.users.ids.ids], np.bool_)
    names = {one.user_id for one in happenings if one.item_id in catalogue.ids} | set(users)
    people, user_rows = _people(data.users, stay, users, sorted(names))
    old = data.events
    kept = (item_rows[old.item] >= 0) & (user_rows[old.user] >= 0)
    before = old.where(kept)
    before = replace(before, item=item_rows[before.item], user=user_rows[before.user])
    told = [one for one in happenings if one.item_id in catalogue.ids]
    return replace(data, items=catalogue, users=people, events=_events(before, told, catalogue, people, old))


def liked_from(events: Events) -> float | None:
    """The smallest value that was liked, where values tell likes from other events; None where every event is one."""
    return None if events.liked.all() or not events.liked.any() else float(events.value[events.liked].min())


def _catalogue(items: Catalogue, changes: Mapping[str, Columns | None]) -> tuple[Catalogue, Ints]:
    """The catalogue with changes, and (n_items,) the new row of each old one, -1 where it is gone."""
    gone = {name for name, columns in changes.items() if columns is None}
    stay = np.array([name not in gone for name in items.ids.ids], np.bool_)
    more = sorted(name for name in changes if name not in gone and name not in items.ids)
    ids = IdMap((*(name for name in items.ids.ids if name not in gone), *more))
    old = {"title": items.title, "description": items.description, "tags": items.tags, **items.attributes}
    columns = _columns(old, items.ids, stay, ids, {name: found for name, found in changes.items() if found is not None})
    title, description, tags = (columns.pop(name) for name in ("title", "description", "tags"))
    title = tuple(one or name for one, name in zip(title, ids.ids, strict=True))
    return Catalogue(ids, title, description, tags, columns), _rows(stay)


def _people(people: People, stay: Bools, changes: Mapping[str, Columns], names: Sequence[str]) -> tuple[People, Ints]:
    kept = [name for name, here in zip(people.ids.ids, stay, strict=True) if here]
    known = set(kept)
    ids = IdMap((*kept, *(name for name in names if name not in known)))
    columns = _columns({"text": people.text, **people.attributes}, people.ids, stay, ids, changes)
    return People(ids, columns.pop("text"), columns), _rows(stay)


def _columns(
    old: Mapping[str, Sequence[str]], before: IdMap, stay: Bools, ids: IdMap, changes: Mapping[str, Columns]
) -> dict[str, tuple[str, ...]]:
    """Every column, old and new names, for the ids of today: what changed replaces all that was said."""
    names = dict.fromkeys((*old, *(name for columns in changes.values() for name in columns)))
    kept = [int(row) for row in np.flatnonzero(stay)]
    found = {}
    for name in names:
        column = [old[name][row] for row in kept] if name in old else [""] * len(kept)
        column += [""] * (len(ids) - len(kept))
        for one, columns in changes.items():
            if one in ids:
                column[ids.row(one)] = columns.get(name, "")
        found[name] = tuple(column)
    return found


def _rows(stay: Bools) -> Ints:
    """(N,) the new place of each row that stays, -1 for the others."""
    return np.where(stay, np.cumsum(stay) - 1, -1).astype(np.int32)


def _events(before: Events, told: Sequence[Happening], items: Catalogue, people: People, old: Events) -> Events:
    least = liked_from(old)
    value = np.array([_value(one, least) for one in told], np.float32)
    liked = np.array([one.value is None or least is None or one.value >= least for one in told], np.bool_)
    clock = old.clock if len(old) else "time"
    time = np.array([one.time if clock != "none" else 0.0 for one in told])
    told_kinds = any(one.kind for one in told) or bool(before.kind)
    told_texts = any(one.text for one in told) or bool(before.text)
    empty = ("",) * len(before)
    both = Events(
        user=np.concatenate([before.user, people.ids.rows([one.user_id for one in told])]),
        item=np.concatenate([before.item, items.ids.rows([one.item_id for one in told])]),
        time=np.concatenate([before.time, time]),
        value=np.concatenate([before.value, value]),
        liked=np.concatenate([before.liked, liked]),
        clock=clock,
        kind=((before.kind or empty) + tuple(one.kind for one in told)) if told_kinds else (),
        text=((before.text or empty) + tuple(one.text for one in told)) if told_texts else (),
    )
    return both.take(np.lexsort((both.time, both.user)))


def _value(one: Happening, least: float | None) -> float:
    return one.value if one.value is not None else 1.0 if least is None else least
