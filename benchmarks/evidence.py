"""Rows of TALLRec to what a model reads: film texts, a person's side in words and counts, and log-odds of liking.

Everything about a person is counted in the films of that row's own history.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.sets.tallrec import Asked, Films
from palate.data.dataset import Events
from palate.evaluation.pairs import Pairs, mean_rule
from palate.train.examples import Examples
from palate.types import Bools, Floats, Ints

LEAST_BEFORE = 4  # films in the history of a training pair


def film_texts(films: Films) -> tuple[str, ...]:
    """Title with year, then genres."""
    pairs = zip(films.title, films.genres, strict=True)
    return tuple(f"{title}. {', '.join(genres)}" if genres else title for title, genres in pairs)


def log_odds(liked: ArrayLike, n: int | NDArray[np.int64]) -> Floats:
    """Of liking the next film when `liked` of `n` were: the mean of a flat prior.

    >>> log_odds([5, 9], 10)
    array([0.      , 1.609438], dtype=float32)
    """
    good = np.asarray(liked, np.float32)
    return np.log((good + 1) / (n - good + 1)).astype(np.float32)


def person_text(films: Films, before: Ints, liked: Bools, film: int, *, titles: bool) -> str:
    """How many films the person liked, how many of each genre of the film asked about, and, if wanted, which ones.

    >>> films = Films(("1", "2", "3"), ("Alien", "Brazil", "Aliens"), (("Sci-Fi",), ("Comedy", "Sci-Fi"), ("Sci-Fi",)))
    >>> person_text(films, np.array([0, 1]), np.array([True, False]), 2, titles=True)
    'Liked 1 of 2 films. Sci-Fi: liked 1 of 2. Liked Alien. Disliked Brazil.'
    """
    said = [f"Liked {int(liked.sum())} of {len(liked)} films"]
    for genre in films.genres[film]:
        has = np.array([genre in films.genres[one] for one in before], np.bool_)
        said.append(
            f"{genre}: liked {int(liked[has].sum())} of {int(has.sum())}" if has.any() else f"{genre}: none seen"
        )
    for word, which in (("Liked", liked), ("Disliked", ~liked)):
        names = [films.title[one] for one in before[which]] if titles else []
        said += [f"{word} {'; '.join(names)}"] if names else []
    return ". ".join(said) + "."


def asked_pairs(films: Films, rows: Asked, *, titles: bool) -> Examples:
    """The pairs of rows as they are, grouped by user."""
    triples = zip(rows.before, rows.before_liked, rows.item, strict=True)
    people = [person_text(films, before, liked, int(film), titles=titles) for before, liked, film in triples]
    prior = log_odds(rows.before_liked.sum(axis=1), rows.before.shape[1])
    return Examples(people, _texts(films, rows.item), rows.user, rows.liked.astype(np.float32), prior)


def told_pairs(films: Films, rows: Asked, *, titles: bool) -> Examples:
    """Every film of a row as a target once four of its films come before it, in the order of rating; of films that
    several rows tell of the same person the one with the longest history."""
    items = np.concatenate([rows.before, rows.item[:, None]], axis=1)
    liked = np.concatenate([rows.before_liked, rows.liked[:, None]], axis=1)
    longest: dict[tuple[int, int], tuple[int, int]] = {}
    for row in range(len(rows)):
        for place in range(LEAST_BEFORE, items.shape[1]):
            key = (int(rows.user[row]), int(items[row, place]))
            longest[key] = max(longest.get(key, (0, 0)), (place, row))
    found = sorted((user, film, place, row) for (user, film), (place, row) in longest.items())
    people = [
        person_text(films, items[row, :place], liked[row, :place], film, titles=titles) for _, film, place, row in found
    ]
    user, film, place, row = (np.array(column, np.int64) for column in zip(*found, strict=True))
    counts = np.array([liked[one, :end].sum() for one, end in zip(row, place, strict=True)])
    labels = liked[row, place].astype(np.float32)
    return Examples(people, _texts(films, film), user.astype(np.int32), labels, log_odds(counts, place))


def _texts(films: Films, items: Ints | NDArray[np.int64]) -> Sequence[str]:
    texts = film_texts(films)
    return [texts[item] for item in items]


def liked_share(rows: Asked) -> Floats:
    """(N,) the rule: the share of the history that was liked."""
    return rows.before_liked.mean(axis=1).astype(np.float32)


def item_rate(train: Asked, rows: Asked) -> Floats:
    """(N,) the rule: the share of likes of the film in train; that of all rows for a film which train does not ask."""
    events = Events(train.user, train.item, np.zeros(len(train)), train.liked.astype(np.float32), train.liked)
    strangers = np.full(
        len(rows), int(train.user.max(initial=0)) + 1, np.int32
    )  # the mean of a stranger is that of all
    pairs = Pairs(strangers, rows.item, rows.liked)
    return mean_rule(events, pairs) - events.value.mean()


def told_rate(shots: Asked, rows: Asked, pull: float = 5.0) -> Floats:
    """(N,) a rule that knows as much as a tuned model: the share of likes among all that the shots and their histories
    tell of a film, each person once, pulled to the overall share by as many imagined people as `pull`."""
    user = np.repeat(shots.user, shots.before.shape[1] + 1)
    film = np.concatenate([shots.before, shots.item[:, None]], axis=1).ravel()
    liked = np.concatenate([shots.before_liked, shots.liked[:, None]], axis=1).ravel()
    size = int(max(film.max(initial=0), rows.item.max(initial=0))) + 1
    once = np.unique(user.astype(np.int64) * size + film, return_index=True)[1]
    film, liked = film[once], liked[once]
    counts, good = np.bincount(film, minlength=size), np.bincount(film, liked, size)
    rate: Floats = ((good + pull * liked.mean()) / (counts + pull)).astype(np.float32)
    return rate[rows.item]
