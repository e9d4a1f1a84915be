"""A Dataset to what may be learned from and what is asked afterwards: train, validation, test.

Models are fitted on `train`. Test requests may use train and validation events as history (protocol A), which is
what a recommender knows at that moment; only a model that is refitted would learn from them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from palate.data.dataset import Dataset
from palate.errors import ConfigError, DataError
from palate.runtime import Runtime
from palate.types import Bools, Ints, Longs, Queries, Ragged

Shares = tuple[float, float, float]  # train, validation, test


@dataclass(frozen=True, slots=True, eq=False)
class Holdout:
    """Requests with known answers.

    users: (Q,) the users with an answer, in rising order.
    truth: (Q) what each liked in the window and had not had before, in order of time, each item once.
    known: the events that may serve as history at that moment.
    window: the events that are held out, liked or not.
    candidates: (Q, M) the only items to be ranked, NO_ITEM where a row has fewer; None is the whole catalogue.
    """

    users: Ints
    truth: Ragged
    known: Dataset
    window: Dataset
    candidates: Ints | None = None

    def __len__(self) -> int:
        return len(self.users)

    def queries(self) -> Queries:
        """One request for each user, with the history and the seen items of that moment."""
        return self.known.queries(self.users)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Train, validation and test under a name, with sentences on how they were cut.

    in_time: nothing that is learned from or known is later than what is asked.
    """

    name: str
    train: Dataset
    validation: Holdout
    test: Holdout
    notes: tuple[str, ...] = ()
    in_time: bool = False


def time_split(data: Dataset, validation_share: float = 0.1, test_share: float = 0.1) -> Split:
    """Everybody's events before t1 train, up to t2 validate, from t2 on test.

    The cuts leave about the given shares of events behind them; events of one moment stay together.
    """
    _check_shares((1 - validation_share - test_share, validation_share, test_share))
    if data.events.clock != "time":
        raise DataError(f'split "time": the log has no times (clock "{data.events.clock}"); map a time column')
    time, n = np.sort(data.events.time), len(data.events)
    if not n:
        raise DataError('split "time": the log has no events')
    t2 = time[-max(1, round(n * test_share))]
    t1 = time[-max(1, min(n, round(n * (test_share + validation_share))))]
    before, between = data.events.time < t1, (data.events.time >= t1) & (data.events.time < t2)
    note = f"Train before {_day(t1)}, validation before {_day(t2)}, test from then on; the cuts hold for everybody."
    return _cut(data, "time", before, between, ~before & ~between, note, in_time=True)


def leave_last_out(data: Dataset) -> Split:
    """Each user's last event tests, the one before it validates; users with fewer than three events only train."""
    if data.events.clock == "none":
        raise DataError('split "leave-last-out": the log has neither times nor an order; use split "random"')
    counts = np.bincount(data.events.user, minlength=data.n_users)
    from_end = np.cumsum(counts)[data.events.user] - 1 - np.arange(len(data.events))
    enough = counts[data.events.user] >= 3
    last, second = enough & (from_end == 0), enough & (from_end == 1)
    note = (
        "Each person's last event tests, the one before it validates. Other people's later events are in train, so "
        "this is easier than a time split; for comparison with published tables."
    )
    return _cut(data, "leave-last-out", ~last & ~second, second, last, note)


def random_split(data: Dataset, rng: np.random.Generator, shares: Shares = (0.8, 0.1, 0.1)) -> Split:
    """Events drawn at random from the whole log."""
    _check_shares(shares)
    n = len(data.events)
    place = rng.permutation(n)
    n_test, n_validation = round(n * shares[2]), round(n * shares[1])
    test, validation = place < n_test, (place >= n_test) & (place < n_test + n_validation)
    note = (
        "Events were drawn at random: models learn from the future, so results are too good for a live system. They "
        "are fitted as on a log without times."
    )
    return _timeless(_cut(data, "random", ~test & ~validation, validation, test, note))


def random_per_user(data: Dataset, rng: np.random.Generator, shares: Shares = (0.8, 0.1, 0.1)) -> Split:
    """Events drawn at random from each user's own: of n events floor(share * n), at least one, validate and test
    as long as one is left to train (as RecBole does)."""
    _check_shares(shares)
    user, n_events = data.events.user, len(data.events)
    counts = np.bincount(user, minlength=data.n_users)
    starts = np.cumsum(counts) - counts
    shuffled = np.lexsort((rng.random(n_events), user))  # each user's events, in random order
    place = np.empty(n_events, np.int64)
    place[shuffled] = np.arange(n_events) - starts[user[shuffled]]
    n_test = np.minimum(np.maximum((counts * shares[2]).astype(int), 1), np.maximum(counts - 1, 0))
    n_validation = np.minimum(np.maximum((counts * shares[1]).astype(int), 1), np.maximum(counts - 1 - n_test, 0))
    test = place < n_test[user]
    validation = ~test & (place < (n_test + n_validation)[user])
    note = (
        "Each person's events were drawn at random: models learn from the future, so results are too good for a live "
        "system; for comparison with published tables. They are fitted as on a log without times."
    )
    return _timeless(_cut(data, "random-per-user", ~test & ~validation, validation, test, note))


def cold_items_by_time(data: Dataset, validation_share: float = 0.1, test_share: float = 0.1) -> Split:
    """A time split that asks only for items without any train event: those that came after t1."""
    whole = time_split(data, validation_share, test_share)
    new = np.bincount(whole.train.events.item, minlength=data.n_items) == 0
    note = f"Only items that came after the first cut are asked for: {int(new.sum())} of {data.n_items}."
    validation, test = (_asking_for(holdout, new) for holdout in (whole.validation, whole.test))
    return replace(whole, name="cold-items", validation=validation, test=test, notes=(*whole.notes, note))


def cold_items_held_out(data: Dataset, rng: np.random.Generator, share: float = 0.1) -> Split:
    """A random share of the items with events is taken out of train, half to validate and half to test."""
    _check_shares((1 - share, share / 2, share / 2))
    chosen = rng.permutation(np.unique(data.events.item))
    n_test = max(1, round(len(chosen) * share / 2))
    test = np.isin(data.events.item, chosen[:n_test])
    validation = np.isin(data.events.item, chosen[n_test : 2 * n_test])
    note = f"{2 * n_test} of {len(chosen)} items were drawn at random and held out with all their events, at any time."
    return _cut(data, "cold-items", ~test & ~validation, validation, test, note)


def held_out(data: Dataset, known: Bools, window: Bools) -> Holdout:
    """What two disjoint marks of events (E,) make: what people liked in the window, as asked of what is known."""
    events = data.events
    pair = events.user.astype(np.int64) * data.n_items + events.item
    wanted = np.flatnonzero(window & events.liked & ~np.isin(pair, pair[known]))
    first = np.sort(wanted[np.unique(pair[wanted], return_index=True)[1]])  # each pair once, in the log's order
    users, truth = _rows(events.user[first], events.item[first])
    return Holdout(users, truth, data.with_events(known), data.with_events(window))


SPLITS: dict[str, Callable[[Dataset, np.random.Generator], Split]] = {
    "time": lambda data, rng: time_split(data),
    "leave-last-out": lambda data, rng: leave_last_out(data),
    "random": lambda data, rng: random_split(data, rng),
    "random-per-user": lambda data, rng: random_per_user(data, rng),
    "cold-items": lambda data, rng: (
        cold_items_by_time(data) if data.events.clock == "time" else cold_items_held_out(data, rng)
    ),
}


def split(data: Dataset, name: str = "time", runtime: Runtime | None = None) -> Split:
    """The split of that name. Where a log has no times, "time" becomes leave-last-out by its order, or random
    where it has neither, and the notes say so."""
    if name not in SPLITS:
        raise ConfigError(f'split: "{name}" is not one of {", ".join(SPLITS)}')
    notes: tuple[str, ...] = ()
    if name == "time" and data.events.clock == "order":
        name, notes = "leave-last-out", ("The log has an order but no times: leave-last-out instead of a time split.",)
    elif name == "time" and data.events.clock == "none":
        name, notes = "random", ("The log has neither times nor an order: a random split instead of a time split.",)
    cut = SPLITS[name](data, (runtime or Runtime()).rng("split"))
    return replace(cut, notes=notes + cut.notes)


def _timeless(cut: Split) -> Split:
    """The split with a train log that has no clock: what is asked next to random events is not what came next."""
    events = replace(cut.train.events, clock="none")
    return replace(cut, train=replace(cut.train, events=events))


def _cut(
    data: Dataset, name: str, train: Bools, validation: Bools, test: Bools, note: str, *, in_time: bool = False
) -> Split:
    """The split that three disjoint marks (E,) make."""
    if not train.any():
        raise DataError(f'split "{name}": nothing is left to train on; the log has {len(train)} events')
    return Split(
        name=name,
        train=data.with_events(train),
        validation=held_out(data, train, validation),
        test=held_out(data, train | validation, test),
        notes=(note,),
        in_time=in_time,
    )


def _asking_for(holdout: Holdout, wanted: Bools) -> Holdout:
    """The same holdout with only the marked items (n_items,) in its truth."""
    keep = wanted[holdout.truth.values]
    users, truth = _rows(holdout.users[holdout.truth.row_of[keep]], holdout.truth.values[keep])
    return replace(holdout, users=users, truth=truth)


def _rows(user: Ints, item: Ints) -> tuple[Ints, Ragged]:
    """Pairs sorted by user to the users (Q,) and their items (Q)."""
    users, counts = np.unique(user, return_counts=True)
    offsets: Longs = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return users, Ragged(item, offsets)


def _check_shares(shares: Shares) -> None:
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(f"split: shares {shares} of train, validation and test must be above 0 and sum to 1")


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC")
