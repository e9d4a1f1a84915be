"""Tables to arrays: a Dataset of users, items and events, in row numbers, sorted by user and time.

Only `IdMap` converts between outside ids (text) and inside row numbers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.errors import UnknownIdError
from palate.types import STRANGER, Bools, Floats, Ints, Longs, Queries, Ragged

Clock = Literal["time", "order", "none"]
FrameKind = Literal["polars", "pandas"]


@dataclass(frozen=True, slots=True, eq=False)
class IdMap:
    """Outside ids to row numbers and back; ids are text, in a fixed order, without repeats."""

    ids: tuple[str, ...]
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rows = {name: row for row, name in enumerate(self.ids)}
        if len(rows) != len(self.ids):
            raise ValueError("IdMap: an id stands twice")
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def row(self, name: str, what: str = "item") -> int:
        """The row number of one id; raises UnknownIdError."""
        try:
            return self._rows[name]
        except KeyError:
            raise UnknownIdError(f'{what} "{name}" is not known; {len(self)} {what}s are') from None

    def rows(self, names: Sequence[str], missing: int = STRANGER) -> Ints:
        """(N,) row numbers, `missing` for ids that are not known."""
        return np.array([self._rows.get(name, missing) for name in names], np.int32)

    def names(self, rows: Ints) -> list[str]:
        """The ids of row numbers."""
        return [self.ids[row] for row in rows]


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """E events as columns, sorted by user, then by time or order, then by place in the log.

    user, item: (E,) row numbers.
    time: (E,) unix seconds UTC where `clock` is "time", the order column where it is "order", else zeros.
    value: (E,) rating or weight, 1 where the log has none.
    liked: (E,) what counts as liked; everything else is only "already had".
    kind, text: (E,) the kind of event and the review, () where the log has none.
    """

    user: Ints
    item: Ints
    time: NDArray[np.float64]
    value: Floats
    liked: Bools
    clock: Clock = "time"
    kind: tuple[str, ...] = ()
    text: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.user)

    def where(self, keep: Bools) -> "Events":
        """Only the events marked in `keep` (E,)."""
        return self.take(np.flatnonzero(keep))

    def take(self, rows: Longs) -> "Events":
        """The given events, in the given order."""
        return replace(
            self,
            user=self.user[rows],
            item=self.item[rows],
            time=self.time[rows],
            value=self.value[rows],
            liked=self.liked[rows],
            kind=tuple(self.kind[row] for row in rows) if self.kind else (),
            text=tuple(self.text[row] for row in rows) if self.text else (),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """n_items items: titles, descriptions and tags ("" where there is none), further attributes by name."""

    ids: IdMap
    title: tuple[str, ...]
    description: tuple[str, ...]
    tags: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """n_users users: declared texts ("" where there is none), further attributes by name."""

    ids: IdMap
    text: tuple[str, ...]
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A catalogue, its people and what they did.

    frame: the kind of frame that answers come back in.
    notes: sentences on what was decided while reading, for example what counts as liked.
    """

    items: Catalogue
    users: People
    events: Events
    frame: FrameKind = "polars"
    notes: tuple[str, ...] = ()

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def n_users(self) -> int:
        return len(self.users)

    def with_events(self, keep: Bools) -> "Dataset":
        """The same catalogue and people with only the events marked in `keep` (E,)."""
        return replace(self, events=self.events.where(keep))

    def histories(self, *, liked_only: bool = True) -> Ragged:
        """(n_users) each user's items, oldest first; an item appears as often as it was chosen."""
        counts = np.bincount(self.events.user, minlength=self.n_users)
        rows = Ragged(self.events.item, np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))
        return rows.where(self.events.liked) if liked_only else rows

    def queries(self, users: Ints | Longs) -> Queries:
        """Requests of users: what they liked as history, all they had as seen, no wish; a STRANGER has neither."""
        wanted, events = np.asarray(users, np.int32), self.events
        first, end = (np.searchsorted(events.user, wanted, side) for side in ("left", "right"))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(end - first)])
        rows = np.repeat(first - offsets[:-1], end - first) + np.arange(offsets[-1])
        seen = Ragged(events.item[rows], offsets)
        return Queries(wanted, seen.where(events.liked[rows]), seen, ("",) * len(wanted))

    def matrix(self) -> sparse.csr_matrix:
        """(n_users, n_items) float32, 1 where the user liked the item at least once."""
        liked = self.events.liked
        user, item = self.events.user[liked], self.events.item[liked]
        matrix = sparse.csr_matrix((np.ones(len(user), np.float32), (user, item)), (self.n_users, self.n_items))
        matrix.data[:] = 1.0  # repeats were summed
        return matrix

    def fingerprint(self) -> str:
        """A hash of everything a model can learn from, so that results and models name their data."""
        digest = hashlib.sha256()
        for array in (self.events.user, self.events.item, self.events.time, self.events.value, self.events.liked):
            digest.update(np.ascontiguousarray(array).tobytes())
        columns = [self.items.ids.ids, self.items.title, self.items.description, self.items.tags]
        columns += [self.users.ids.ids, self.users.text, self.events.text, self.events.kind]
        columns += [column for _, column in sorted(self.items.attributes.items())]
        columns += [column for _, column in sorted(self.users.attributes.items())]
        for column in columns:
            digest.update(b"\x1e" + "\x1f".join(column).encode())
        return digest.hexdigest()
