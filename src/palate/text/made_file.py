"""JSON Lines files that a person may edit, one line for each person or item, read and written."""

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from palate.errors import DataError
from palate.text.made import EDITED, GENERATED, P


def read_lines(path: Path, parsed: Callable[[str, str], P], name: Callable[[P], str], what: str) -> tuple[P, ...]:
    """The lines of a file in its order, () where there is no file. Raises DataError naming file, line and fix.

    parsed: makes one of a line and its place. what: who must not stand twice, by name.
    """
    if not path.exists():
        return ()
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); it must be a UTF-8 text file") from error
    found: dict[str, P] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        one = parsed(line, f"{path}:{number}")
        if name(one) in found:
            raise DataError(f'{path}:{number}: {what} "{name(one)}" stands twice; leave one line')
        found[name(one)] = one
    return tuple(found.values())


def write_lines(path: Path, made: Iterable[Any]) -> None:
    """One line for each dataclass, in one step, so that a stopped run leaves the old file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf8", dir=path.parent, delete=False) as file:
            file.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in made)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error}); name another file") from error


def row_of(line: str, place: str, example: str) -> dict[str, Any]:
    """A line as JSON; what is no object is one without fields."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: no JSON ({error}); write for example {example}") from None
    return row if isinstance(row, dict) else {}


def origin(row: dict[str, Any], place: str, rendered: str) -> tuple[str, str]:
    """The source and the hash of a line; without them it is one that a person wrote. rendered: the third source."""
    source, mark = (row.get(name, default) for name, default in (("source", EDITED), ("hash", "")))
    if source not in (rendered, GENERATED, EDITED) or not isinstance(mark, str):
        raise DataError(f'{place}: source {source!r} is not {rendered}, generated or edited; leave "source" out')
    return source, mark
