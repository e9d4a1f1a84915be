"""A log to a split that asks for items nobody has had: their events are taken out everywhere but in the answers."""

import numpy as np

from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split
from palate.runtime import Runtime
from palate.types import Bools, Ints, Ragged

TEST_SHARE, VALIDATION_SHARE = 0.1, 0.05  # of the items that have events


def cold_items_asked_last(data: Dataset, runtime: Runtime) -> Split:
    """Leave-last-out where a tenth of the items, drawn by seed, is held out with all its events.

    Test asks the people whose last event is with such an item; the event before the last, if it is with one of a
    further twentieth of the items, validates, so that nothing can be tuned on the items of the test. Candidates are
    the held-out items of that part, in an order of their own for each person, so that ties tell nothing. People
    with fewer than 3 events, with nothing left in their history, or who had the item before are not asked.
    """
    events = data.events
    chosen = runtime.rng("cold items").permutation(np.unique(events.item))
    n_test, n_validation = (round(share * len(chosen)) for share in (TEST_SHARE, VALIDATION_SHARE))
    tested, validated = np.sort(chosen[:n_test]), np.sort(chosen[n_test : n_test + n_validation])
    counts = np.bincount(events.user, minlength=data.n_users)
    from_end = np.cumsum(counts)[events.user] - 1 - np.arange(len(events))
    enough = counts[events.user] >= 3
    last, second = enough & (from_end == 0), enough & (from_end == 1)
    warm = ~np.isin(events.item, chosen[: n_test + n_validation])
    train = warm & ~last & ~second
    note = (
        f"{n_test} of {len(chosen)} items were drawn at random and held out with all their events to test, "
        f"{n_validation} others to validate."
    )
    return Split(
        "cold-items-last",
        data.with_events(train),
        _asked(data, train, second, validated, runtime.rng("cold validation")),
        _asked(data, warm & ~last, last, tested, runtime.rng("cold test")),
        (note,),
    )


def _asked(data: Dataset, known: Bools, window: Bools, cold: Ints, rng: np.random.Generator) -> Holdout:
    """The events of the window with cold items that are new to their user, who has a history."""
    events = data.events
    pair = events.user.astype(np.int64) * data.n_items + events.item
    fresh = np.zeros(len(events), np.bool_)
    fresh[np.unique(pair, return_index=True)[1]] = True
    told = np.bincount(events.user[known], minlength=data.n_users) > 0
    wanted = window & fresh & np.isin(events.item, cold) & told[events.user]
    users, truth = events.user[wanted], Ragged(events.item[wanted], np.arange(int(wanted.sum()) + 1))
    candidates = rng.permuted(np.tile(cold, (len(users), 1)), axis=1).astype(np.int32)
    return Holdout(users, truth, data.with_events(known), data.with_events(wanted), candidates)
