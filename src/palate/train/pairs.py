"""A data set to contrastive examples: a history, the item liked next, and hard negatives that a retriever brings."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from palate.config import option, options
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.runtime import Runtime
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Ragged

HISTORY = 50  # likes of a history that are kept


@options
class PairsConfig:
    pairs: int = option(4000, "Next likes that are learned, at most.", low=1)
    per_user: int = option(10, "Next likes of one user, at most.", low=1)
    batch: int = option(32, "Next likes in a batch, whose items are each other's negatives.", low=2)
    hard_negatives: int = option(
        1, "Items per next like that a retriever recommends and that the user has not had.", low=0, search=(0, 1, 2)
    )
    mined: int = option(50, "The retriever's best, among which hard negatives are drawn.", low=1)


@dataclass(frozen=True, eq=False)
class Pairs:
    """N examples.

    users: (N,); histories: (N) what they liked strictly before the target, the newest last; items: (N,) the targets.
    hard: (N, H) hard negatives, NO_ITEM where too few were found.
    liked: (n_users, n_items) what each user likes anywhere in the training data.
    """

    users: Ints
    histories: Ragged
    items: Ints
    hard: Ints
    liked: sparse.csr_matrix

    def __len__(self) -> int:
        return len(self.items)

    def n_batches(self, size: int) -> int:
        return -(-len(self) // size)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[Longs]:
        """The examples in random order as rows, at most `size` at a time, an item at most once in a batch.

        There are `n_batches`; an item that is the target of more examples than that leaves the rest of them out.
        """
        room: list[dict[int, int]] = [{} for _ in range(self.n_batches(size))]  # item -> row
        for turn, row in enumerate(rng.permutation(len(self))):
            item = int(self.items[row])
            for step in range(len(room)):
                batch = room[(turn + step) % len(room)]
                if item not in batch and len(batch) < size:
                    batch[item] = int(row)
                    break
        return (np.fromiter(batch.values(), np.int64) for batch in room)

    def log_expected(self, size: int) -> Floats:
        """(n_items,) the log of how often an item is a target in a batch; 0 where it never is."""
        n_batches = self.n_batches(size)
        counts = np.bincount(self.items, minlength=self.liked.shape[1])
        return np.log(np.where(counts, np.minimum(counts, n_batches) / max(n_batches, 1), 1.0)).astype(np.float32)

    def clash(self, rows: Longs) -> Bools:
        """(B, B) whether the user of one row likes the item of another (or the same) one: no negative for them."""
        return np.asarray(self.liked[self.users[rows]][:, self.items[rows]].toarray() > 0)


def pairs(data: Dataset, retriever: Retriever, told: Bools, config: PairsConfig, runtime: Runtime) -> Pairs:
    """Examples from the likes in `data`, which is all that is known; none where nobody has two.

    retriever: fitted on `data`, gives the hard negatives: never anything the user has had, before or after.
    told: (n_items,) the items that have a text; others are neither targets nor negatives, nor enough for a history.
    """
    rng = runtime.rng("pairs")
    likes = _likes(data, rng)
    users, items = data.events.user[likes], data.events.item[likes]
    before = _before(users, data.events.time[likes] if data.events.clock != "none" else np.arange(len(likes)))
    starts = np.searchsorted(users, users)
    named = np.concatenate([[0], np.cumsum(told[items])])
    first = np.zeros(len(likes), np.bool_)
    first[np.unique(users.astype(np.int64) * data.n_items + items, return_index=True)[1]] = True
    fit = np.flatnonzero(first & told[items] & (named[before] > named[starts]))
    chosen = _chosen(users, fit, config, rng)
    histories = Ragged.of([items[max(starts[row], before[row] - HISTORY) : before[row]] for row in chosen])
    hard = _hard(data, retriever, users[chosen], histories, told, config, rng)
    return Pairs(users[chosen], histories, items[chosen], hard, data.matrix())


def _likes(data: Dataset, rng: np.random.Generator) -> Longs:
    """The rows of likes by user, oldest first; in random order where events have none."""
    likes = np.flatnonzero(data.events.liked)
    if data.events.clock == "none":
        likes = rng.permutation(likes)
    return likes[np.argsort(data.events.user[likes], kind="stable")]


def _before(users: Ints, times: np.ndarray) -> Longs:
    """(N,) for likes by user and time, where the first of those stands that are no older than it."""
    new = np.ones(len(users), np.bool_)
    new[1:] = (users[1:] != users[:-1]) | (times[1:] != times[:-1])
    return np.maximum.accumulate(np.where(new, np.arange(len(users)), 0))


def _chosen(users: Ints, rows: Longs, config: PairsConfig, rng: np.random.Generator) -> Longs:
    """At most `per_user` of the rows for each user and `pairs` in all, at random."""
    rows = rng.permutation(rows)
    rows = rows[np.argsort(users[rows], kind="stable")]
    place = np.arange(len(rows)) - np.searchsorted(users[rows], users[rows])
    return rng.permutation(rows[place < config.per_user])[: config.pairs]


def _hard(
    data: Dataset,
    retriever: Retriever,
    users: Ints,
    histories: Ragged,
    told: Bools,
    config: PairsConfig,
    rng: np.random.Generator,
) -> Ints:
    """(N, H) drawn without repetition from the retriever's best for each history."""
    if not config.hard_negatives or not len(users):
        return np.full((len(users), config.hard_negatives), NO_ITEM, np.int32)
    had = data.histories(liked_only=False).take(users)
    slate = retriever.retrieve(Queries(users, histories, had, ("",) * len(users), told), config.mined)
    luck = np.where(slate.items == NO_ITEM, 2.0, rng.random(slate.items.shape))
    drawn = np.take_along_axis(slate.items, np.argsort(luck, axis=1)[:, : config.hard_negatives], axis=1)
    missing = np.full((len(users), config.hard_negatives - drawn.shape[1]), NO_ITEM, np.int32)
    return np.concatenate([drawn, missing], axis=1)
