"""Which column of a table plays which part: declared names, well-known other names, or the user's own mapping."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palate.data.problems import NO_COLUMN, SAME_COLUMN, TWO_COLUMNS, Ledger
from palate.data.tables import Origin, Table, TableName
from palate.errors import ConfigError

USER_ID = ("user", "uid", "reviewer_id", "customer_id", "visitor_id", "member_id")
ITEM_ID = ("item", "iid", "movie_id", "movie", "product_id", "asin", "article_id", "book_id", "business_id")
# Every part a column can play, with the other names that are taken for it (case, "_", "-" and spaces do not matter).
PARTS: dict[TableName, dict[str, tuple[str, ...]]] = {
    "events": {
        "user_id": USER_ID,
        "item_id": ITEM_ID,
        "time": ("timestamp", "ts", "datetime", "date", "created_at", "event_time", "unix_review_time"),
        "position": ("order", "sequence", "seq"),
        "value": ("rating", "score", "stars", "overall", "weight", "count", "plays"),
        "kind": ("event", "event_type", "action", "behavior", "behaviour"),
        "text": ("review", "review_text", "comment"),
    },
    "items": {
        "item_id": ITEM_ID,
        "title": ("name", "item_name", "movie_title", "product_name", "product_title", "headline"),
        "description": ("text", "overview", "summary", "abstract", "content"),
        "tags": ("genres", "genre", "categories", "category", "keywords", "class"),
        "image": ("image_url", "picture", "poster"),
    },
    "users": {
        "user_id": USER_ID,
        "text": ("bio", "profile", "about", "description", "interests"),
    },
}
OFTEN_WHOLE = ("user_id", "item_id", "time", "position", "value")
NEEDED: dict[TableName, tuple[str, ...]] = {
    "events": ("user_id", "item_id"),
    "items": ("item_id",),
    "users": ("user_id",),
}

_TYPED = re.compile(r":(token|float|token_seq|float_seq)$")  # RecBole's headers: user_id:token


@dataclass(frozen=True, slots=True)
class Layout:
    """parts: part -> the column that plays it; others: the columns that play none."""

    parts: dict[str, str]
    others: tuple[str, ...]


def clean_header(header: Sequence[str], origin: Origin, ledger: Ledger) -> list[str] | None:
    """Column names without spaces around them and RecBole's types; None (and a report) where one stands twice."""
    names = [_clean(name) or f"column {place}" for place, name in enumerate(header, 1)]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    for name in twice:
        ledger.file(SAME_COLUMN, origin, "column", name, line=origin.header)
    return None if twice else names


def layout(table: Table, chosen: Mapping[str, str], ledger: Ledger) -> Layout | None:
    """Match the columns of a table to parts; None (and a report) where a needed part is missing or one is unclear.

    chosen: part -> column, "" for a part that shall stay empty. Without a choice a column of the part's own name
    comes first, then one of its synonyms; two synonyms at once are an error that asks for a choice.
    """
    name, header, origin = table.name, table.frame.columns, table.origin
    parts: dict[str, str] = {}
    unclear = False
    for part, found in _matches(name, header, chosen).items():
        if len(found) > 1:
            ledger.file(TWO_COLUMNS, origin, part, ", ".join(found), line=origin.header, fix=_choose(name, part, found))
        elif found and found[0] in header:
            parts[part] = found[0]
        elif found or part in NEEDED[name]:
            fix = f"there are {', '.join(header)}: {_choose(name, part, header)}"
            ledger.file(NO_COLUMN, origin, part, "".join(found), line=origin.header, fix=fix)
        unclear |= part not in parts and bool(found or part in NEEDED[name])
    if unclear:
        return None
    if name == "items" and "title" not in parts and "description" in parts:
        parts["title"] = parts.pop("description")
    for part, column in parts.items():
        if column != part:
            ledger.note(f"{origin.place}: {column} is read as {part}")
    return Layout(parts, tuple(column for column in header if column not in parts.values()))


def whole_columns(table: TableName, header: Sequence[str], chosen: Mapping[str, str]) -> set[str]:
    """The columns that play a part which is often a whole number."""
    matches = _matches(table, header, chosen)
    return {column for part in OFTEN_WHOLE for column in matches.get(part, ()) if column in header}


def _matches(table: TableName, header: Sequence[str], chosen: Mapping[str, str]) -> dict[str, list[str]]:
    """For every part the columns that could play it."""
    for part in chosen:
        if part not in PARTS[table]:
            raise ConfigError(f"columns.{table}.{part}: unknown column; known: {', '.join(PARTS[table])}")
    taken = {part: _clean(column) for part, column in chosen.items()}
    free = {column: _plain(column) for column in header if column not in taken.values()}
    found: dict[str, list[str]] = {}
    for part, synonyms in PARTS[table].items():
        if part in taken:
            found[part] = [taken[part]] if taken[part] else []
            continue
        exact = [column for column, plain in free.items() if plain == _plain(part)]
        found[part] = exact or [column for column, plain in free.items() if plain in map(_plain, synonyms)]
    return found


def _choose(table: str, part: str, columns: Sequence[str]) -> str:
    pick = f'"{columns[0]}"'
    return f'choose with columns={{"{table}": {{"{part}": {pick}}}}} or [{table}] {part} = {pick} in palate.toml'


def _clean(name: str) -> str:
    return _TYPED.sub("", name.strip())


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()
