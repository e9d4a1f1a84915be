"""The benchmark protocols of public tables: files to a Split."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

import palate
from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split, split
from palate.evaluation.ranking import sampled_candidates
from palate.runtime import Runtime
from palate.types import Ragged

GAMES_CANDIDATES = 19  # beside the target


@dataclass(frozen=True)
class Benchmark:
    """One protocol.

    anchors: published rows to stand beside ours: system -> (metric -> figure, source).
    """

    title: str
    protocol: str
    load: Callable[[Path, Runtime], Split]
    anchors: dict[str, tuple[dict[str, float], str]] = field(default_factory=dict)


def movielens_100k(folder: Path, runtime: Runtime) -> Split:
    """Random 80/10/10 per user, every rating an interaction, as in RecBole's examples."""
    data = palate.read(
        events=folder / "movielens-100k" / "ml-100k.inter",
        items=folder / "movielens-100k" / "ml-100k.item",
        columns={"items": {"title": "movie_title", "tags": "class"}},
        liked=1,
    )
    return split(data, "random-per-user", runtime)


def movielens_small(folder: Path, runtime: Runtime) -> Split:
    """Global time split, liked is 4 stars or more, whole catalogue."""
    return split(_movielens_with_texts(folder), "time", runtime)


def movielens_cold(folder: Path, runtime: Runtime) -> Split:
    """The same time split, asking only for films that nobody had rated before it."""
    return split(_movielens_with_texts(folder), "cold-items", runtime)


def beauty(folder: Path, runtime: Runtime) -> Split:
    """Leave-last-out by position, full ranking, the user's earlier items excluded."""
    return split(_shop(folder / "amazon-beauty", "text"), "leave-last-out", runtime)


def industrial(folder: Path, runtime: Runtime) -> Split:
    """Leave-last-out by position on a sparse shop with descriptions and brands."""
    place = folder / "amazon-industrial"
    data = palate.read(events=place / "events.tsv", items=place / "items.jsonl", bad_rows="quarantine", quarantine=None)
    return split(data, "leave-last-out", runtime)


def games(folder: Path, runtime: Runtime) -> Split:
    """Target + 19 given candidates for 6,000 people; the last event of a history validates (protocol A)."""
    place = folder / "llmrank-games"
    data = _shop(place, "title")
    tested = pl.read_csv(place / "test.tsv", separator="\t", infer_schema=False)
    given = pl.read_csv(place / "candidates.tsv", separator="\t", infer_schema=False)
    answers = dict(zip(tested["user_id"], tested["item_id"], strict=True))
    lists = dict(zip(given["user_id"], given["item_ids"], strict=True))
    users = np.sort(data.users.ids.rows(list(lists)))
    names = data.users.ids.names(users)
    truth = [data.items.ids.row(answers[name]) for name in names]
    candidates = np.empty((len(users), GAMES_CANDIDATES + 1), np.int32)
    for row, name in enumerate(names):
        others = [one for one in lists[name].split() if one != answers[name]][:GAMES_CANDIDATES]
        candidates[row] = data.items.ids.rows([answers[name], *others])
    candidates = runtime.rng("games-candidates").permuted(candidates, axis=1)
    last = np.append(np.diff(data.events.user) > 0, True)
    train = data.with_events(~last)
    test = Holdout(users, Ragged.of([[one] for one in truth]), data, data.with_events(np.zeros_like(last)), candidates)
    window = last & np.isin(data.events.user, users)
    targets = Ragged.of([[one] for one in data.events.item[window]])
    validation = Holdout(users, targets, train, data.with_events(window))
    validation = sampled_candidates(validation, GAMES_CANDIDATES, runtime.rng("games-validation"))
    return Split("llmrank-games", train, validation, test)


def _shop(folder: Path, title: str) -> Dataset:
    columns = {"items": {"title": title}}
    return palate.read(events=folder / "events.tsv", items=folder / "items.tsv", columns=columns)


def _movielens_with_texts(folder: Path) -> Dataset:
    """Films of movielens-small with overview and keywords where there are any."""
    place = folder / "movielens-small"
    films = pl.read_csv(place / "movies.csv", infer_schema=False)
    texts = pl.read_ndjson(place / "movie_text.jsonl").select(
        pl.col("movieId").cast(pl.String), description=pl.col("overview"), keywords=pl.col("keywords").list.join(", ")
    )
    films = films.join(texts, on="movieId", how="left").with_columns(
        tags=pl.concat_str(
            [pl.col("genres").str.replace_all("|", ", ", literal=True), "keywords"], separator=", ", ignore_nulls=True
        )
    )
    items = films.select(pl.col("movieId").alias("item_id"), "title", pl.col("description").fill_null(""), "tags")
    return palate.read(events=place / "ratings.csv", items=items)
