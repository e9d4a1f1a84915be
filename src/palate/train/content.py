"""A catalogue to rows of content: what texts and attributes say of an item, as numbers that a linear map can read."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from palate.contracts import Encoder
from palate.data.dataset import Catalogue
from palate.retrieve.axes import directions, project
from palate.text.render import item_texts
from palate.text.values import cell_values, columns
from palate.types import Floats
from palate.vectors import unit_rows

LEAST_ITEMS = 5  # that share an attribute's value
MOST_VALUES = 256  # of all attributes together, the most frequent


@dataclass(frozen=True, eq=False)
class Content:
    """rows: (n_items, T + V) text beside attributes, each of length `scale`, zero where unknown;
    mean, axes: (width,) and (width, T), what made an encoded text a unit row (see `project`)."""

    rows: Floats
    scale: float
    mean: Floats
    axes: Floats


def content_of(items: Catalogue, encoder: Encoder, *, text_dim: int, whiten: float, scale: float) -> Content:
    """What is known of every item besides behaviour, texts by `text_dim` principal axes. The encoder is fitted."""
    encoded = encoder.encode(item_texts(items), role="item")
    mean, axes = directions(encoded[encoded.any(axis=1)], centre=True, whiten=whiten)
    axes = np.ascontiguousarray(axes[:, -text_dim:])
    texts = project(encoded, mean, axes)
    rows = np.hstack([texts, unit_rows(multi_hot(items))]) * np.float32(scale)
    return Content(rows, scale, mean, axes)


def multi_hot(items: Catalogue) -> Floats:
    """(n_items, n_values) 1 where an item has an attribute's value or a tag; columns by falling frequency.

    A cell may hold several values (see `cell_values`). Values of fewer than 5 items are left out, and those of every
    item, which tell nothing.
    """
    named = columns(items)
    said = [
        {(name, value) for name, column in named.items() for value in cell_values(column[row])}
        for row in range(len(items))
    ]
    counts = Counter(value for values in said for value in sorted(values))
    frequent = [value for value, n in counts.most_common() if LEAST_ITEMS <= n < len(items)][:MOST_VALUES]
    place = {value: column for column, value in enumerate(frequent)}
    hot = np.zeros((len(items), len(frequent)), np.float32)
    for row, values in enumerate(said):
        hot[row, [place[value] for value in values if value in place]] = 1.0
    return hot
