"""What the user hands over (a folder, files, frames) to raw tables; palate.toml and the caller's wishes joined."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import polars as pl

from palate.data.columns import PARTS, clean_header
from palate.data.dataset import FrameKind
from palate.data.delimited import read_delimited
from palate.data.frames import from_native
from palate.data.jsonlines import read_json_lines
from palate.data.problems import NO_ROWS, UNREADABLE, Ledger
from palate.data.tables import Origin, Table, TableName
from palate.errors import ConfigError, DataError

NAMES: tuple[TableName, ...] = get_args(TableName)
STEMS: dict[TableName, tuple[str, ...]] = {  # file names that are taken for a table where there is no exact one
    "events": ("interactions", "ratings"),
    "items": ("movies", "products", "books"),
    "users": ("people",),
}
ENDINGS: dict[str, TableName] = {".inter": "events", ".item": "items", ".user": "users"}  # RecBole's files
DELIMITED = (".csv", ".tsv", *ENDINGS)
JSON_LINES = (".jsonl", ".ndjson")
SUFFIXES = (*DELIMITED, *JSON_LINES, ".parquet")
SETTINGS = "palate.toml"


@dataclass(frozen=True, slots=True)
class Sources:
    """A path or frame for each table that was given, the columns chosen in each, and what counts as liked."""

    tables: Mapping[TableName, Any]
    columns: Mapping[TableName, Mapping[str, str]]
    liked: float | None


def gather(
    source: str | Path | None,
    named: Mapping[TableName, Any],
    columns: Mapping[str, Mapping[str, str]] | None,
    liked: float | None,
    ledger: Ledger,
) -> Sources:
    """Join a folder, its palate.toml and what the caller names; the caller's word counts most.

    Raises DataError where there is no folder or no table, ConfigError where a setting is unknown.
    """
    tables = {name: given for name, given in named.items() if given is not None}
    settings: dict[str, Any] = {}
    if source is not None:
        folder = Path(source)
        if not folder.is_dir():
            raise DataError(f"{folder}: is no folder; give a folder, or files by name: events=..., items=...")
        settings = _settings(folder / SETTINGS)
        tables = _found(folder, settings.get("files", {}), tables, ledger)
    if "events" not in tables and "items" not in tables:
        raise DataError(
            f"{source or 'read'}: neither events nor items; name the files events.csv and items.csv, "
            f"map them under [files] in {SETTINGS}, or give events=... and items=..."
        )
    _known("columns", columns or {}, NAMES)
    chosen = {name: {**settings.get(name, {}), **(columns or {}).get(name, {})} for name in NAMES}
    return Sources(tables, chosen, settings.get("data", {}).get("liked") if liked is None else liked)


def load(name: TableName, given: Any, chosen: Mapping[str, str], ledger: Ledger) -> tuple[Table | None, FrameKind]:
    """Read one table from a path or frame; no table (and a report) where that fails as a whole."""
    if not isinstance(given, str | Path):
        frame, kind = from_native(given, name)
        return _framed(name, frame, Origin(name, frame=frame), ledger), kind
    path = Path(given)
    suffix = path.suffix.lower()
    try:
        if suffix in DELIMITED:
            return read_delimited(name, path, chosen, ledger), "polars"
        if suffix in JSON_LINES:
            return read_json_lines(name, path, ledger), "polars"
        if suffix == ".parquet":
            frame = pl.read_parquet(path.read_bytes())
            return _framed(name, frame, Origin(str(path), path, frame), ledger), "polars"
    except OSError as error:
        ledger.file(UNREADABLE, Origin(str(path)), "", fix=f"{error.strerror}: {UNREADABLE.fix}")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        ledger.file(UNREADABLE, Origin(str(path)), "", fix="it is no sound Parquet file; write it again")
    else:
        ledger.file(UNREADABLE, Origin(str(path)), "", fix=f"known endings are {', '.join(SUFFIXES)}")
    return None, "polars"


def read_table(path: str | Path) -> pl.DataFrame:
    """Any one file with the columns that it has, texts and numbers not judged yet; raises DataError for what is bad."""
    ledger = Ledger()
    table, _ = load("events", path, {}, ledger)
    ledger.refuse()
    assert table is not None  # otherwise the ledger has refused
    return table.frame


def _framed(name: TableName, frame: pl.DataFrame, origin: Origin, ledger: Ledger) -> Table | None:
    header = clean_header(frame.columns, origin, ledger)
    if header is None:
        return None
    if not frame.height:
        ledger.file(NO_ROWS, origin, "")
        return None
    return Table(name, origin, frame.rename(dict(zip(frame.columns, header, strict=True))))


def _found(
    folder: Path, files: Mapping[str, str], tables: Mapping[TableName, Any], ledger: Ledger
) -> dict[TableName, Any]:
    """The tables of a folder: named by the caller, in palate.toml, by their exact name, or by a well-known name."""
    found = dict(tables)
    there = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    for name in NAMES:
        if name in found:
            continue
        if name in files:
            found[name] = folder / files[name]
            continue
        exact = [path for path in there if path.stem.lower() == name]
        like = exact or [p for p in there if p.stem.lower() in STEMS[name] or ENDINGS.get(p.suffix.lower()) == name]
        if len(like) > 1:
            listed = ", ".join(path.name for path in like)
            raise DataError(f'{folder}: {name} could be {listed}; choose with [files] {name} = "..." in {SETTINGS}')
        if like:
            found[name] = like[0]
            if not exact:
                ledger.note(f"{like[0]}: taken for the {name}")
    used = {Path(given) for given in found.values() if isinstance(given, str | Path)}
    unused = [path.name for path in there if path not in used]
    if unused:
        ledger.note(f"{folder}: not read: {', '.join(unused)}")
    return found


def _settings(path: Path) -> dict[str, Any]:
    """The checked contents of a palate.toml, nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf8"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path}: {error}") from None
    _known(str(path), settings, ("files", "data", *NAMES))
    for section, keys in (("files", NAMES), ("data", ("liked",)), *((name, tuple(PARTS[name])) for name in NAMES)):
        place = f"{path}: {section}"
        if not isinstance(settings.get(section, {}), dict):
            raise ConfigError(f"{place}: is no section; write [{section}]")
        _known(place, settings.get(section, {}), keys)
        for key, value in settings.get(section, {}).items():
            if not isinstance(value, int | float if section == "data" else str) or isinstance(value, bool):
                raise ConfigError(f"{place}.{key}: {value!r} is not {'a number' if section == 'data' else 'a text'}")
    return settings


def _known(place: str, given: Iterable[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"{place}.{name}: unknown; known: {', '.join(known)}")
