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


SETS = {
    "movielens-100k": Benchmark(
        "MovieLens-100K",
        "Random 80/10/10 per user, every rating an interaction, full ranking. Histories hold train and validation.",
        movielens_100k,
        {
            "EASE (RecBole, course report)": ({"ndcg@10": 0.330, "recall@10": 0.281}, "second hand"),
            "item-kNN (RecBole, course report)": ({"ndcg@10": 0.283, "recall@10": 0.247}, "second hand"),
            "Pop (RecBole, course report)": ({"ndcg@10": 0.103, "recall@10": 0.088}, "second hand"),
        },
    ),
    "movielens-small": Benchmark(
        "MovieLens small with texts", "Global time split, liked is 4 stars or more, full ranking.", movielens_small
    ),
    "movielens-cold": Benchmark(
        "MovieLens small, cold films", "The same cut; only films that nobody had rated before it.", movielens_cold
    ),
    "beauty": Benchmark(
        "Amazon Beauty",
        "Leave-last-out, full ranking, protocol A: trained on train, the validation item enters as history only.",
        beauty,
        {
            "SASRec, BCE": ({"ndcg@10": 0.0318, "hit_rate@10": 0.0605}, "S3-Rec repository"),
            "TIGER": ({"ndcg@10": 0.0384, "hit_rate@10": 0.0648}, "second hand"),
            "SASRec, cross-entropy": ({"ndcg@10": 0.0405, "hit_rate@10": 0.0821}, "LETTER issue 20"),
            "LlamaRec, 7B": ({"ndcg@10": 0.0554, "hit_rate@10": 0.0971}, "its Table 1"),
        },
    ),
    "games": Benchmark(
        "LLMRank Games",
        "6,000 users, the answer among 19 given candidates, protocol A.",
        games,
        {
            "BM25, zero-shot": ({"ndcg@10": 0.3461}, "LLMRank"),
            "UniSRec, zero-shot": ({"ndcg@10": 0.4071}, "LLMRank"),
            "popularity": ({"ndcg@10": 0.5296}, "LLMRank"),
            "ChatGPT, recency prompt": ({"ndcg@10": 0.5350}, "LLMRank"),
            "item-kNN cosine": ({"ndcg@10": 0.6458}, "sanity figure"),
            "BPRMF": ({"ndcg@10": 0.6627}, "LLMRank"),
            "SASRec": ({"ndcg@10": 0.7592}, "LLMRank"),
        },
    ),
}
