"""The MovieLens protocols."""

from dataclasses import replace
from pathlib import Path

import polars as pl

import palate
from benchmarks.sets.protocol import refitted
from palate.data.dataset import Dataset
from palate.data.split import Split, random_per_user, split
from palate.runtime import Runtime


def movielens_100k(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Random 80/10/10 per user, every rating an interaction, as in RecBole's examples."""
    data = _movielens_100k(folder)
    return data, split(data, "random-per-user", runtime)


def movielens_100k_75(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Random 75/25 per user, every rating an interaction, as in the Recommenders README: no validation part."""
    data = _movielens_100k(folder)
    cut = refitted(random_per_user(data, runtime.rng("split"), (0.65, 0.1, 0.25)))
    note = "75 % of each person's events train and 25 % test; there is nothing to tune on."
    return data, replace(cut, notes=(cut.notes[0], note))


def movielens_small(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """Global time split, liked is 4 stars or more, whole catalogue."""
    data = _with_texts(folder)
    return data, split(data, "time", runtime)


def movielens_cold(folder: Path, runtime: Runtime) -> tuple[Dataset, Split]:
    """The same time split, asking only for films that nobody had rated before it."""
    data = _with_texts(folder)
    return data, split(data, "cold-items", runtime)


def _movielens_100k(folder: Path) -> Dataset:
    return palate.read(
        events=folder / "movielens-100k" / "ml-100k.inter",
        items=folder / "movielens-100k" / "ml-100k.item",
        columns={"items": {"title": "movie_title", "tags": "class"}},
        liked=1,
    )


def _with_texts(folder: Path) -> Dataset:
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
