"""The shop protocols: Amazon Beauty, Amazon Industrial and LLMRank Games, whole and with held-out cold items."""

from pathlib import Path

import numpy as np
import polars as pl

import palate
from benchmarks.sets.cold import cold_items_asked_last
from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split, leave_last_out
from palate.evaluation.ranking import sampled_candidates
from palate.runtime import Runtime
from palate.types import Ragged

GAMES_CANDIDATES = 19  # beside the target


def beauty(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Leave-last-out by position, full ranking, the user's earlier items excluded."""
    data = _beauty(folder)
    return data, leave_last_out(data)


def beauty_cold(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Beauty, asking for last events with items that were held out with all their events."""
    data = _beauty(folder)
    return data, cold_items_asked_last(data, runtime)


def industrial(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Leave-last-out by position, full ranking; titles, descriptions, brands."""
    place = folder / "amazon-industrial"
    items = pl.read_ndjson(place / "items.jsonl").with_columns(pl.col("item_id").cast(pl.String)).drop("categories")
    data = palate.read(events=place / "events.tsv", items=items)  # no item has a category
    return data, leave_last_out(data)


def games(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Target + 19 given candidates for 6,000 people; the last event before the target validates (protocol A)."""
    data = _games(folder)
    given = pl.read_csv(folder / "llmrank-games" / "candidates.tsv", separator="\t", infer_schema=False)
    lists = dict(zip(given["user_id"], given["item_ids"], strict=True))
    last = _last(data)  # what test.tsv holds
    known = data.with_events(~last)
    users = np.sort(data.users.ids.rows(list(lists)))
    asked = last & np.isin(data.events.user, users)
    targets = data.events.item[asked]
    candidates = np.empty((len(users), GAMES_CANDIDATES + 1), np.int32)
    for row, name in enumerate(data.users.ids.names(users)):
        target = data.items.ids.ids[targets[row]]
        others = [one for one in lists[name].split() if one != target][:GAMES_CANDIDATES]
        candidates[row] = data.items.ids.rows([target, *others])
    candidates = runtime.rng("games-candidates").permuted(candidates, axis=1)
    test = Holdout(users, _one_each(targets), known, data.with_events(asked), candidates)
    second = _last(known)
    train = known.with_events(~second)
    window = second & np.isin(known.events.user, users)
    validation = Holdout(users, _one_each(known.events.item[window]), train, known.with_events(window))
    validation = sampled_candidates(validation, GAMES_CANDIDATES, runtime.rng("games-validation"))
    return data, Split("llmrank-games", train, validation, test)


def games_cold(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Games, all 50,546 people, asking for last events with items that were held out with all their events."""
    data = _games(folder)
    return data, cold_items_asked_last(data, runtime)


def _beauty(folder: Path) -> Dataset:
    place = folder / "amazon-beauty"
    return palate.read(events=place / "events.tsv", items=place / "items.tsv", columns={"items": {"title": "text"}})


def _games(folder: Path) -> Dataset:
    """The log with everybody's test item as their last event."""
    place = folder / "llmrank-games"
    log, tested = (pl.read_csv(place / name, separator="\t", infer_schema=False) for name in ("events.tsv", "test.tsv"))
    log = log.with_columns(pl.col("position").cast(pl.Int64))
    ends = log.group_by("user_id").agg(pl.col("position").max() + 1)
    events = pl.concat([log, tested.join(ends, on="user_id", how="left", maintain_order="left")])
    return palate.read(events=events, items=place / "items.tsv")


def _last(data: Dataset) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(E,) marks each user's last event."""
    return np.append(np.diff(data.events.user) > 0, True)


def _one_each(items: np.ndarray[tuple[int], np.dtype[np.int32]]) -> Ragged:
    return Ragged(items, np.arange(len(items) + 1))
