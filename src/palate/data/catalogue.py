"""Items and users tables to Catalogue and People: one row for each id, texts and attributes."""

import numpy as np

from palate.data.dataset import Catalogue, IdMap, People
from palate.data.problems import NO_TEXT, NO_TITLE, SAME_ID
from palate.data.rows import Rows
from palate.types import Longs


def read_items(rows: Rows) -> Catalogue:
    """The catalogue in the order of the table; an item without a title has its id as title."""
    ids, good, texts = _one_each(rows, "item_id")
    empty = ("",) * len(ids)
    title, description, tags = (texts.pop(part, empty) for part in ("title", "description", "tags"))
    tags = tuple(one.replace("|", ", ") for one in tags)
    if rows.has("title"):
        untitled = np.array([not one.strip() for one in title], np.bool_)
        silent = untitled & np.array([not (a + b).strip() for a, b in zip(description, tags, strict=True)], np.bool_)
        for kind, which in ((NO_TITLE, untitled & ~silent), (NO_TEXT, silent)):
            mask = np.zeros(len(rows.bad), np.bool_)
            mask[good[which]] = True
            rows.report(kind, rows.layout.parts["title"], mask)
    else:
        rows.ledger.note(f"{rows.table.origin.place}: no title column, the id stands in for the title")
    title = tuple(one if one.strip() else name for one, name in zip(title, ids.ids, strict=True))
    return Catalogue(ids, title, description, tags, texts)


def read_users(rows: Rows) -> People:
    """The people in the order of the table."""
    ids, _, texts = _one_each(rows, "user_id")
    return People(ids, texts.pop("text", ("",) * len(ids)), texts)


def bare_items(ids: list[str]) -> Catalogue:
    """A catalogue that knows nothing but ids."""
    empty = ("",) * len(ids)
    return Catalogue(IdMap(tuple(ids)), tuple(ids), empty, empty)


def with_users(people: People | None, more: list[str]) -> People:
    """The people with further users, of whom nothing is known, at the end."""
    if people is None:
        return People(IdMap(tuple(more)), ("",) * len(more))
    empty = ("",) * len(more)
    attributes = {name: column + empty for name, column in people.attributes.items()}
    return People(IdMap(people.ids.ids + tuple(more)), people.text + empty, attributes)


def _one_each(rows: Rows, key: str) -> tuple[IdMap, Longs, dict[str, tuple[str, ...]]]:
    """The ids, the row of each, and every other column as texts; of two rows with one id the second is refused."""
    codes, names = rows.ids(key)
    names_of = {name: column for name, column in rows.layout.parts.items() if name != key}
    columns = names_of | {name: name for name in rows.layout.others}
    found = {name: rows.text(column) for name, column in columns.items()}
    fair = np.flatnonzero(~rows.bad)
    _, first = np.unique(codes[fair], return_index=True)
    again = ~rows.bad
    again[fair[first]] = False
    rows.report(SAME_ID, rows.layout.parts[key], again)
    good = np.flatnonzero(~rows.bad)
    ids = IdMap(tuple(names[code] for code in codes[good]))
    return ids, good, {name: tuple(column.gather(good).to_list()) for name, column in found.items()}
