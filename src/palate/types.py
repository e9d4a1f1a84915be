"""The values that travel between stages: Ragged, Queries, Signals, Slate, Verdict, Reason, Answer.

Arrays, not frames: B requests, K list length, n_items catalogue size. Users and items are
row numbers here; outside ids never get past `palate.data`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.errors import ContractError

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

NO_ITEM = -1  # pads a slate on the right
STRANGER = -1  # the row number of a user the model has never seen

Basis = Literal["history", "text", "history+text", "popularity"]


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of different length in two arrays: `values` (N,) and `offsets` (B + 1,).

    >>> rows = Ragged.of([[3, 1], [], [2]])
    >>> len(rows), rows[0], rows.lengths
    (3, array([3, 1], dtype=int32), array([2, 0, 1]))
    """

    values: Ints
    offsets: Longs

    @staticmethod
    def of(rows: Sequence[Sequence[int] | Ints]) -> "Ragged":
        """Pack a list of rows."""
        lengths = np.array([len(row) for row in rows], np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        values = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.zeros(0, np.int32)
        return Ragged(values.astype(np.int32), offsets)

    @staticmethod
    def empty(n_rows: int) -> "Ragged":
        """`n_rows` rows without values."""
        return Ragged(np.zeros(0, np.int32), np.zeros(n_rows + 1, np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Ints:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[Ints]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> Longs:
        """(B,) the number of values in each row."""
        return np.diff(self.offsets)

    @property
    def row_of(self) -> Longs:
        """(N,) the row that each value belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def ages(self) -> Longs:
        """(N,) the place of each value counted from the end of its row: 0 is the last (newest)."""
        return np.repeat(self.offsets[1:], self.lengths) - 1 - np.arange(len(self.values))

    def take(self, rows: Longs | Ints | slice) -> "Ragged":
        """The given rows, in the given order."""
        wanted = np.arange(len(self))[rows]
        lengths = self.lengths[wanted]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        source = np.repeat(self.offsets[wanted] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Ragged(self.values[source], offsets)

    def padded(self) -> Ints:
        """(B, longest) the rows from the left, NO_ITEM where they have ended."""
        grid = np.full((len(self), int(self.lengths.max(initial=0))), NO_ITEM, np.int32)
        grid[self.row_of, np.arange(len(self.values)) - np.repeat(self.offsets[:-1], self.lengths)] = self.values
        return grid

    def last(self, n: int) -> "Ragged":
        """At most the last `n` values of each row."""
        return self.where(self.ages < n)

    def where(self, keep: Bools) -> "Ragged":
        """Only the values marked in `keep` (N,)."""
        counts = np.bincount(self.row_of[keep], minlength=len(self))
        return Ragged(self.values[keep], np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))


@dataclass(frozen=True, slots=True, eq=False)
class Queries:
    """B requests.

    users: (B,) row numbers, STRANGER for someone the model has never seen.
    histories: per request the items that count as liked, oldest first.
    seen: per request the items that may not be shown again.
    wishes: per request a free text, "" where there is none.
    eligible: (n_items,) what may be shown at all; None means everything.
    """

    users: Ints
    histories: Ragged
    seen: Ragged
    wishes: tuple[str, ...]
    eligible: Bools | None = None

    def __post_init__(self) -> None:
        sizes = {len(self.users), len(self.histories), len(self.seen), len(self.wishes)}
        if len(sizes) != 1:
            raise ContractError(f"Queries: users, histories, seen and wishes differ in length: {sorted(sizes)}")

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: Longs | slice) -> "Queries":
        """The given requests, in the given order."""
        wanted = np.arange(len(self))[rows]
        wishes = tuple(self.wishes[row] for row in wanted)
        return Queries(self.users[wanted], self.histories.take(wanted), self.seen.take(wanted), wishes, self.eligible)

    def blocks(self, size: int) -> Iterator["Queries"]:
        """The same requests, at most `size` at a time."""
        return (self.take(slice(start, start + size)) for start in range(0, len(self), size))

    @property
    def has_history(self) -> Bools:
        """(B,)"""
        return self.histories.lengths > 0

    @property
    def has_wish(self) -> Bools:
        """(B,)"""
        return np.array([bool(wish.strip()) for wish in self.wishes], np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """Numbers that are told of each item of a slate: names (S,), values (B, K, S).

    A name is "part" or "part: what", where a part tells more than one thing.
    """

    names: tuple[str, ...]
    values: Floats

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[2] != len(self.names):
            raise ContractError(f"Signals: values {self.values.shape} must be (B, K, S) for {len(self.names)} names")

    def take(self, rows: Longs | Ints) -> "Signals":
        """Those of the given lists, in the given order."""
        return Signals(self.names, self.values[rows])

    def of(self, items: Ints, others: Ints) -> "Signals":
        """What is told of items (B, K), for the same items in the order of `others`."""
        place = np.take_along_axis(np.argsort(items, axis=1), np.argsort(np.argsort(others, axis=1), axis=1), axis=1)
        return Signals(self.names, np.take_along_axis(self.values, place[:, :, None], axis=1))

    def by_part(self) -> "Signals":
        """Summed over what each part tells, parts in the order in which they first stand."""
        parts = [name.partition(":")[0] for name in self.names]
        names = tuple(dict.fromkeys(parts))
        member = np.array([[part == name for name in names] for part in parts], np.float32).reshape(-1, len(names))
        return Signals(names, self.values @ member)


@dataclass(frozen=True, slots=True, eq=False)
class Slate:
    """B lists of K items, best first.

    items: (B, K) row numbers, distinct within a row, padded with NO_ITEM on the right.
    scores: (B, K) larger is better, never rising along a row; -inf where padded.
    signals: what a retriever measured of each item, for rankers to read; None where it tells nothing.
    """

    items: Ints
    scores: Floats
    signals: Signals | None = None

    def __post_init__(self) -> None:
        if self.items.shape != self.scores.shape or self.items.ndim != 2:
            raise ContractError(f"Slate: items {self.items.shape} and scores {self.scores.shape} must be one (B, K)")
        if self.signals is not None and (told := self.signals.values.shape)[:2] != self.items.shape:
            raise ContractError(f"Slate: signals {told} must be (B, K, S) for items {self.items.shape}")
        real = self.items != NO_ITEM
        if np.isnan(self.scores).any():
            raise ContractError("Slate: a score is nan")
        if (real[:, 1:] & ~real[:, :-1]).any():
            raise ContractError("Slate: padding must be on the right")
        if (self.scores[:, 1:] > self.scores[:, :-1]).any():
            raise ContractError("Slate: scores rise along a row")
        ordered = np.sort(self.items, axis=1)
        if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)).any():
            raise ContractError("Slate: an item stands twice in a row")

    def __len__(self) -> int:
        return len(self.items)

    @property
    def k(self) -> int:
        """The width K."""
        return int(self.items.shape[1])

    def top(self, k: int) -> "Slate":
        """The first `k` places, without signals."""
        return Slate(self.items[:, :k], self.scores[:, :k])

    def take(self, rows: Longs | Ints) -> "Slate":
        """The given lists, in the given order."""
        return Slate(self.items[rows], self.scores[rows], None if self.signals is None else self.signals.take(rows))

    @staticmethod
    def stack(parts: Sequence["Slate"], k: int) -> "Slate":
        """Slates below each other, all cut or padded to width `k`; signals stay where every part has them."""
        items = np.full((sum(map(len, parts)), k), NO_ITEM, np.int32)
        scores = np.full(items.shape, -np.inf, np.float32)
        told = [part.signals for part in parts if part.signals is not None]
        names = told[0].names if told and len(told) == len(parts) else ()
        values = np.zeros((*items.shape, len(names)), np.float32)
        start = 0
        for part in parts:
            rows, width = slice(start, start + len(part)), min(k, part.k)
            items[rows, :width] = part.items[:, :width]
            scores[rows, :width] = part.scores[:, :width]
            if names and part.signals is not None:
                values[rows, :width] = part.signals.values[:, :width]
            start += len(part)
        return Slate(items, scores, Signals(names, values) if names else None)

    @staticmethod
    def best(items: Ints, scores: Floats, k: int) -> "Slate":
        """The `k` best of scored candidates (B, M); NO_ITEM and -inf are left out, ties keep the given order."""
        scores = np.where(items == NO_ITEM, -np.inf, scores).astype(np.float32)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(scores, order, axis=1)
        items = np.take_along_axis(items, order, axis=1)
        return Slate(np.where(np.isneginf(scores), NO_ITEM, items).astype(np.int32), scores)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What a guard says of a slate: `keep` (B, K), and in `why` the name of each rule with what it removed (B, K)."""

    keep: Bools
    why: dict[str, Bools] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why an item is shown.

    kind: "history" (the user's own events), "text" (the wish) or "popularity".
    items: the history items cited, as row numbers, the most important first; none where only the whole counts.
    weight: their share of everything that supports the item, 1 is all of it.
    decisive: without the first of them the item would not be on the list.
    """

    kind: Literal["history", "text", "popularity"]
    items: tuple[int, ...] = ()
    weight: float = 0.0
    decisive: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a pipeline returns: the lists, a list of reasons per shown item, counts of what guards removed,
    for each request what the list rests on, and what a ranker's scores of the shown items are made of (see
    `contracts.Accountable`), None where no ranker can tell."""

    slate: Slate
    basis: tuple[Basis, ...]
    reasons: tuple[tuple[tuple[Reason, ...], ...], ...] = ()
    removed: dict[str, int] = field(default_factory=dict)
    contributions: Signals | None = None
