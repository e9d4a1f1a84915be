"""A catalogue to rows of content: what texts and attributes say of an item, as numbers that a linear map can read."""

from dataclasses import dataclass

import numpy as np

from palate.contracts import Encoder
from palate.data.dataset import Catalogue
from palate.retrieve.axes import directions, project
from palate.text.render import item_texts
from palate.text.values import multi_hot
from palate.types import Floats
from palate.vectors import unit_rows


@dataclass(frozen=True, eq=False)
class Content:
    """encoder: what read the texts; rows: (n_items, T + V) text beside attributes, each of length `scale`, zero where
    unknown; mean, axes: (width,) and (width, T), what made an encoded text a unit row (see `project`)."""

    encoder: Encoder
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
    rows = np.hstack([texts, unit_rows(multi_hot(items).toarray())]) * np.float32(scale)
    return Content(encoder, rows, scale, mean, axes)
