"""Boosted trees, as LightGBM tells them, to tables that score a hundred candidates at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.types import Floats

Bits = NDArray[Any]  # unsigned, as wide as the largest tree has leaves
Doubles = NDArray[np.float64]
MOST_LEAVES = 64  # bits of the widest
ROWS = 128  # at once: larger arrays are fetched anew from the system every time


@dataclass(frozen=True, eq=False)
class Forest:
    """Several boosters of numeric splits "value <= threshold", the sum of the trees of each.

    A tree's leaves are bits, the leftmost the lowest. A split that a row does not meet rules out the leaves on its
    left; the lowest bit that no split rules out is the row's leaf. Of one feature those are the splits below its value,
    so that what they rule out together is known beforehand for each place among the sorted thresholds. The same leaves
    as walking down each tree, and the same sum to the bit.

    Reference: Lucchese et al. (2015), QuickScorer, SIGIR, section 3.

    thresholds: per feature (T,), rising
    possible: per feature (T + 1, trees), the leaves that the first so many splits leave
    values: (trees, leaves) what each leaf adds
    ends: where the trees of each booster end
    """

    thresholds: tuple[Doubles, ...]
    possible: tuple[Bits, ...]
    values: Doubles
    ends: tuple[int, ...]

    @staticmethod
    def of(boosters: Sequence[Mapping[str, Any]]) -> "Forest":
        """From what `Booster.dump_model` tells."""
        trees = [tree["tree_structure"] for booster in boosters for tree in booster["tree_info"]]
        leaves = [list(_leaves(tree)) for tree in trees]
        width = max(map(len, leaves), default=1)
        values = np.array([[*each, *[0.0] * (width - len(each))] for each in leaves], np.float64).reshape(-1, width)
        kind = next(kind for kind in (np.uint8, np.uint16, np.uint32, np.uint64) if width <= np.iinfo(kind).bits)
        splits: dict[int, list[tuple[float, int, int]]] = {}
        for number, tree in enumerate(trees):
            for feature, threshold, left in _splits(tree):
                splits.setdefault(feature, []).append((threshold, number, left))
        thresholds, possible = [], []
        for feature in range(boosters[0]["max_feature_idx"] + 1):
            own = sorted(splits.get(feature, []))
            table = np.full((len(own) + 1, len(trees)), np.iinfo(kind).max, kind)
            for place, (_, number, left) in enumerate(own, start=1):
                table[place] = table[place - 1]
                table[place, number] &= kind(np.iinfo(kind).max - left)
            thresholds.append(np.array([threshold for threshold, _, _ in own], np.float64))
            possible.append(table)
        ends = np.cumsum([len(booster["tree_info"]) for booster in boosters])
        return Forest(tuple(thresholds), tuple(possible), values, tuple(ends.tolist()))

    def predict(self, rows: Floats) -> list[Doubles]:
        """(N,) of each booster, for rows of features (N, F)."""
        bounds = list(pairwise((0, *self.ends)))
        blocks = []
        for start in range(0, max(len(rows), 1), ROWS):
            told = self._told(rows[start : start + ROWS])  # summed at once: of many rows it is large
            blocks.append([np.add.reduce(told[first:end], axis=0) for first, end in bounds])
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]

    def _told(self, rows: Floats) -> Doubles:
        """(trees, N) what each tree adds; in this order they are summed one after the other."""
        kind = self.possible[0].dtype
        left = np.full((len(rows), len(self.values)), np.iinfo(kind).max, kind)
        for column, thresholds, possible in zip(rows.T, self.thresholds, self.possible, strict=True):
            if len(thresholds):
                left &= possible.take(np.searchsorted(thresholds, column.astype(np.float64)), axis=0)
        leaf = np.bitwise_count((left & -left) - kind.type(1))  # how many bits are below the lowest
        place = leaf.T.astype(np.intp, order="C")  # turned while it is bytes
        place += np.arange(0, self.values.size, self.values.shape[1])[:, None]
        told: Doubles = self.values.take(place)
        return told


def _leaves(node: Mapping[str, Any]) -> Iterator[float]:
    """What the leaves below a node add, from left to right."""
    if "leaf_value" in node:
        yield node["leaf_value"]
    else:
        yield from _leaves(node["left_child"])
        yield from _leaves(node["right_child"])


def _splits(node: Mapping[str, Any], first: int = 0) -> Iterator[tuple[int, float, int]]:
    """Feature, threshold and bits of the leaves on the left, of every split below a node whose leaves begin there."""
    if "leaf_value" not in node:
        many = sum(1 for _ in _leaves(node["left_child"]))
        yield node["split_feature"], node["threshold"], ((1 << many) - 1) << first
        yield from _splits(node["left_child"], first)
        yield from _splits(node["right_child"], first + many)
