"""A little shop of three shelves, whose people buy from one shelf each, and models of it that take a second to fit."""

from functools import cache

import numpy as np

import palate
from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.model import Model

SHELVES = {
    "space": ("stars", "rocket", "orbit", "moon"),
    "kitchen": ("bread", "butter", "oven", "soup"),
    "garden": ("roses", "spade", "soil", "hedge"),
}
EACH = 12  # items of a shelf
PEOPLE = 30


def shop() -> Dataset:
    """36 items, 30 people with 6 likes each, all on one shelf; times count up."""
    rng = np.random.default_rng(0)
    shelves = [shelf for shelf in SHELVES for _ in range(EACH)]
    titles = tuple(
        f"{SHELVES[shelf][row % 4]} {SHELVES[shelf][(row + 1 + row // 4) % 4]} {row}"
        for row, shelf in enumerate(shelves)
    )
    empty = ("",) * len(titles)
    items = Catalogue(
        IdMap(tuple(f"i{row}" for row in range(len(titles)))), titles, empty, empty, {"shelf": tuple(shelves)}
    )
    likes = np.concatenate([person % 3 * EACH + rng.permutation(EACH)[:6] for person in range(PEOPLE)])
    events = Events(
        user=np.repeat(np.arange(PEOPLE, dtype=np.int32), 6),
        item=likes.astype(np.int32),
        time=np.arange(len(likes), dtype=np.float64) + 1000.0,
        value=np.ones(len(likes), np.float32),
        liked=np.ones(len(likes), np.bool_),
    )
    people = People(IdMap(tuple(f"u{row}" for row in range(PEOPLE))), ("",) * PEOPLE)
    return Dataset(items, people, events)


@cache
def model(recipe: str = "balanced") -> Model:
    """A recipe fitted on the shop, with texts read by hashing."""
    return palate.fit(shop(), recipe, encoder="hashing")
