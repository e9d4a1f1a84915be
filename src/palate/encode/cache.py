"""Vectors that were computed once, by content: one SQLite file in the cache folder, shared by all processes.

A key is a hash of everything that shapes the vector (model, settings, text), so an entry never goes stale; texts are
not stored. Each vector carries a checksum: a damaged one is computed again, a damaged file is started anew, and the
log says so. The oldest vectors go when there are more than MOST (about 1.6 GB at 384 dimensions).
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from palate.runtime import cache_folder, log
from palate.types import Floats

MOST = 1_000_000
_AT_ONCE = 4096  # texts computed before they are written down: bounds memory, and what a stopped run loses
_ASKED = 900  # keys in one question to SQLite, which allows 999 everywhere
_PATIENCE_S = 30.0
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors
(place INTEGER PRIMARY KEY, key BLOB UNIQUE NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL)
"""


def remembered(
    space: str, texts: Sequence[str], compute: Callable[[list[str]], Floats], *, keep: bool = True
) -> Floats:
    """(N, dim) the vectors of N >= 1 texts, of which only the unknown distinct ones are computed.

    space: what shapes a vector besides its text; texts of different spaces never mix.
    keep: False neither reads nor writes the file.
    """
    keys = [_key(space, text) for text in texts]
    text_of = dict(zip(keys, texts, strict=True))
    found = _read(list(text_of)) if keep else {}
    missing = [key for key in text_of if key not in found]
    for start in range(0, len(missing), _AT_ONCE):
        part = missing[start : start + _AT_ONCE]
        fresh = dict(zip(part, compute([text_of[key] for key in part]), strict=True))
        if keep:
            _write(fresh)
        found |= fresh
    return np.stack([found[key] for key in keys])


def vectors_file() -> Path:
    """Where the vectors lie."""
    return cache_folder() / "vectors.sqlite"


def _key(space: str, text: str) -> bytes:
    return hashlib.blake2b(f"{space}\x1f{text}".encode("utf8", "surrogatepass"), digest_size=16).digest()


def _read(keys: list[bytes]) -> dict[bytes, Floats]:
    """The sound vectors among those asked for."""
    found: dict[bytes, Floats] = {}
    damaged: list[bytes] = []

    def ask(connection: sqlite3.Connection) -> None:
        for start in range(0, len(keys), _ASKED):
            part = keys[start : start + _ASKED]
            question = f"SELECT key, vector, checksum FROM vectors WHERE key IN ({','.join('?' * len(part))})"
            for key, vector, checksum in connection.execute(question, part):
                if isinstance(vector, bytes) and zlib.crc32(key + vector) == checksum:
                    found[key] = np.frombuffer(vector, np.float32)
                else:
                    damaged.append(key)

    _connected(ask)
    if damaged:
        log.warning("%s: %d damaged vectors are computed again", vectors_file(), len(damaged))
    return found


def _write(fresh: dict[bytes, Floats]) -> None:
    blobs = {key: row.tobytes() for key, row in fresh.items()}
    rows = [(key, blob, zlib.crc32(key + blob)) for key, blob in blobs.items()]

    def put(connection: sqlite3.Connection) -> None:
        with connection:  # one transaction
            connection.executemany("REPLACE INTO vectors (key, vector, checksum) VALUES (?, ?, ?)", rows)
            connection.execute("DELETE FROM vectors WHERE place <= (SELECT max(place) FROM vectors) - ?", (MOST,))

    _connected(put)


def _connected(work: Callable[[sqlite3.Connection], None]) -> None:
    """Do `work` on the file. Where it cannot be used, or is no sound database and is removed, the log says so."""
    path = vectors_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as connection:
            connection.execute(_TABLE)
            work(connection)
    except (sqlite3.OperationalError, OSError) as error:  # locked for long, full, not writable
        log.warning("%s: vectors are not kept this time (%s)", path, error)
    except sqlite3.DatabaseError as error:
        log.warning("%s: damaged (%s); started anew", path, error)
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
