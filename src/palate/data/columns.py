"""Which column of a table plays which part: declared names, well-known other names, or the user's own mapping."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from palate.data.problems import NO_COLUMN, SAME_COLUMN, TWO_COLUMNS, Ledger
from palate.data.tables import Origin, Table, TableName
from palate.errors import ConfigError

# Every part a column can play, with the other names that are taken for it (case, "_", "-" and spaces do not matter).
PARTS: dict[TableName, dict[str, tuple[str, ...]]] = {
    "events": {
        "user_id": ("user", "uid", "reviewer_id", "customer_id", "visitor_id", "member_id"),
        "item_id": ("item", "iid", "movie_id", "movie", "product_id", "asin", "article_id", "book_id", "business_id"),
        "time": ("timestamp", "ts", "datetime", "date", "created_at", "event_time", "unix_review_time"),
        "position": ("order", "sequence", "seq"),
        "value": ("rating", "score", "stars", "overall", "weight", "count", "plays"),
        "kind": ("event", "event_type", "action", "behavior", "behaviour"),
        "text": ("review", "review_text", "comment"),
    },
    "items": {
        "item_id": ("item", "iid", "movie_id", "movie", "product_id", "asin", "article_id", "book_id", "business_id"),
        "title": ("name", "item_name", "movie_title", "product_name", "product_title", "headline"),
        "description": ("text", "overview", "summary", "abstract", "content"),
        "tags": ("genres", "genre", "categories", "category", "keywords", "class"),
        "image": ("image_url", "picture", "poster"),
    },
    "users": {
        "user_id": ("user", "uid", "reviewer_id", "customer_id", "visitor_id", "member_id"),
        "text": ("bio", "profile", "about", "description", "interests"),
    },
}
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
    """Match clean column names to parts; None (and a report) where a needed part is missing or one is unclear.

    chosen: part -> column, "" for a part that shall stay empty. Without a choice a column of the part's own name
    comes first, then one of its synonyms; two synonyms at once are an error that asks for a choice.
    """
    for part in chosen:
        if part not in PARTS[table.name]:
            raise ConfigError(f"columns.{table.name}.{part}: unknown column; known: {', '.join(PARTS[table.name])}")
    header, origin, needed = table.frame.columns, table.origin, NEEDED[table.name]
    parts: dict[str, str] = {}
    unclear = False
    free = [name for name in header if name not in map(_clean, chosen.values())]
    for part, synonyms in PARTS[table.name].items():
        found = [_clean(chosen[part])] if chosen.get(part) else _matches(part, synonyms, free)
        found = [] if chosen.get(part) == "" else found
        if len(found) > 1:
            ledger.file(
                TWO_COLUMNS, origin, part, ", ".join(found), line=origin.header, fix=_choose(table.name, part, found[0])
            )
        elif found and found[0] in header:
            parts[part] = found[0]
        elif found or part in needed:
            fix = f"there are {', '.join(header)}: {_choose(table.name, part, header[0])}"
            ledger.file(NO_COLUMN, origin, part, "".join(found), line=origin.header, fix=fix)
        unclear |= len(found) > 1 or (bool(found or part in needed) and part not in parts)
    if unclear:
        return None
    if table.name == "items" and "title" not in parts and "description" in parts:
        parts["title"] = parts.pop("description")
    for part, name in parts.items():
        if name != part:
            ledger.note(f"{origin.place}: {name} is read as {part}")
    return Layout(parts, tuple(name for name in header if name not in parts.values()))


def _matches(part: str, synonyms: Sequence[str], header: Sequence[str]) -> list[str]:
    """The column of that name, or all that carry one of its synonyms."""
    exact = [name for name in header if _plain(name) == _plain(part)]
    known = {_plain(name) for name in synonyms}
    return exact or [name for name in header if _plain(name) in known]


def _choose(table: str, part: str, column: str) -> str:
    return (
        f'choose with columns={{"{table}": {{"{part}": "{column}"}}}} or [{table}] {part} = "{column}" in palate.toml'
    )


def _clean(name: str) -> str:
    return _TYPED.sub("", name.strip())


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).casefold()
