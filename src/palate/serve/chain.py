"""An append-only file of JSON lines, each holding the hash of the one before: what happened, and proof that nobody
changed it since.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from palate import store
from palate.errors import StoreError

_LONGEST = 1 << 20  # bytes of an entry, so that the last one is found without reading everything


@dataclass(frozen=True, slots=True)
class Chain:
    """The entries in a file, numbered from 1.

    An entry is a mapping: `number`, `before` (the hash of the entry before, "" for the first), `hash` (SHA-256 of all
    the rest as JSON with sorted keys), and what was appended. Cutting entries off the end cannot be seen in the file
    itself; whoever keeps the last hash elsewhere can tell.
    """

    path: Path

    def append(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Add an entry, on disk when this returns; what a killed writer left unfinished is cut off first."""
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            with os.fdopen(handle, "r+b") as file:
                end, last = _end(file, self.path)
                before: dict[str, Any] = _entry(last, str(self.path)) if last else {"number": 0, "hash": ""}
                entry = {**facts, "number": before["number"] + 1, "before": before["hash"]}
                entry["hash"] = _hash(entry)
                line = json.dumps(entry, ensure_ascii=False).encode("utf8", "backslashreplace") + b"\n"
                if len(line) > _LONGEST // 2:
                    raise StoreError(f"{self.path}: an entry of {len(line):,} bytes is too long; tell less")
                file.truncate(end)
                file.seek(end)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            store.sync(self.path.parent)
        return entry

    def entries(self) -> Iterator[dict[str, Any]]:
        """All of them, the oldest first, unchecked; raises StoreError for a line that is no entry."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return  # being written, or left by a killed writer
                yield _entry(line, f"{self.path}:{number}")

    def broken(self) -> str:
        """Where an entry was changed, taken out or put in, as a sentence; "" where none was."""
        before = ""
        try:
            for number, entry in enumerate(self.entries(), 1):
                if entry["number"] != number or entry["before"] != before:
                    return f"{self.path}:{number}: entry {entry['number']} does not follow the one before it"
                if _hash({name: value for name, value in entry.items() if name != "hash"}) != entry["hash"]:
                    return f"{self.path}:{number}: the entry was changed after it was written"
                before = entry["hash"]
        except StoreError as error:
            return str(error)
        return ""


def _entry(line: bytes, place: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        entry["number"], entry["before"], entry["hash"]
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{place}: not an entry of a chain; restore the file") from None
    return dict(entry)


def _hash(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _end(file: Any, path: Path) -> tuple[int, bytes]:
    """Where the whole lines of a file end, and the last of them."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _LONGEST)
    file.seek(start)
    block = file.read()
    end = block.rfind(b"\n") + 1
    if start and not end:
        raise StoreError(f"{path}: does not end in an entry; restore the file")
    lines = block[:end].splitlines()
    return start + end, lines[-1] if lines else b""
