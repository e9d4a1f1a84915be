"""TALLRec's movie rows, rebuilt from MovieLens-100K: whether somebody likes a film, told the ten rated before it.

Reference: Bao et al. (2023), RecSys, TALLRec: An effective and efficient tuning framework to align large language model
with recommendation, section 4.1; the rebuilt validation and test rows are those that its authors published.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palate.errors import DataError
from palate.types import Bools, Ints, Longs

HISTORY = 10  # films rated before the one that is asked about
KEPT = 10_000  # the last rows of the log
TRAIN, VALID = 8_000, 1_000  # the rest is test
LIKED_ABOVE = 3.0

_YEAR_AT_END = re.compile(r"\(\d{4}\)$")


@dataclass(frozen=True, slots=True, eq=False)
class Films:
    """By row number: the id, the title with its year as MovieLens writes it, and the genres, () where unknown."""

    ids: tuple[str, ...]
    title: tuple[str, ...]
    genres: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """N rows: does the user like the item? user, item, liked (N,); before, before_liked (N, 10) oldest first."""

    user: Ints
    item: Ints
    liked: Bools
    before: Ints
    before_liked: Bools

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Longs | slice) -> "Asked":
        """The given rows, in the given order."""
        parts = (self.user, self.item, self.liked, self.before, self.before_liked)
        return Asked(*(part[rows] for part in parts))

    def shots(self, n: int, seed: int) -> "Asked":
        """`n` of these rows, drawn without replacement by `seed`; fewer are the first of those drawn for more."""
        return self.take(np.random.default_rng([seed, 0x7A11]).permutation(len(self))[:n])


@dataclass(frozen=True, slots=True, eq=False)
class TallRec:
    """The films and the three parts of the protocol."""

    films: Films
    train: Asked
    valid: Asked
    test: Asked


def tallrec(folder: Path) -> TallRec:
    """The protocol from a folder of data that holds `movielens-100k`.

    People in the order in which they first appear in the log, each one's ratings sorted by the timestamp read as text
    (equal ones stay as they stand), liked above 3; a row for each rating after the tenth; of all rows the last 10,000.
    """
    place = folder / "movielens-100k"
    films = _films(place / "ml-100k.item")
    rows = _rows(place / "ml-100k.inter", {name: row for row, name in enumerate(films.ids)})
    rows = rows.take(slice(len(rows) - KEPT, None))
    cuts = (slice(0, TRAIN), slice(TRAIN, TRAIN + VALID), slice(TRAIN + VALID, None))
    return TallRec(films, *(rows.take(cut) for cut in cuts))


def _rows(path: Path, film: dict[str, int]) -> Asked:
    logs: dict[str, list[tuple[str, int, bool]]] = {}
    for user, item, rating, time in _table(path):
        logs.setdefault(user, []).append((time, film[item], float(rating) > LIKED_ABOVE))
    parts: list[Asked] = []
    for number, log in enumerate(logs.values()):
        log.sort(key=lambda row: row[0])
        items, liked = np.array([row[1] for row in log], np.int32), np.array([row[2] for row in log])
        n = max(len(log) - HISTORY, 0)
        window = np.arange(n)[:, None] + np.arange(HISTORY)
        parts.append(
            Asked(np.full(n, number, np.int32), items[HISTORY:], liked[HISTORY:], items[window], liked[window])
        )
    names = ("user", "item", "liked", "before", "before_liked")
    return Asked(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _films(path: Path) -> Films:
    rows = list(_table(path))
    titles = tuple(_with_year(title, year) for _, title, year, _ in rows)
    genres = tuple(tuple(kind for kind in kinds.split() if kind != "unknown") for *_, kinds in rows)
    return Films(tuple(row[0] for row in rows), titles, genres)


def _with_year(title: str, year: str) -> str:
    """
    >>> _with_year("Toy Story", "1995"), _with_year("unknown", "")
    ('Toy Story (1995)', 'unknown')
    """
    return title if not year or _YEAR_AT_END.search(title) else f"{title} ({year})"


def _table(path: Path) -> Sequence[list[str]]:
    """The rows of a tab-separated file below its head."""
    if not path.is_file():
        raise DataError(f"{path}: missing; the rows of TALLRec are rebuilt from MovieLens-100K in RecBole's layout")
    with path.open(encoding="utf8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
