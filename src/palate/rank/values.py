"""A column of the items to what it says of each: the shares of its values, as a sparse matrix."""

import re

import numpy as np
from scipy import sparse

from palate.data.dataset import Catalogue
from palate.errors import ConfigError

_BREAK = re.compile(r"[,;|]")


def column(items: Catalogue, attribute: str) -> tuple[str, ...]:
    """(n_items,) the tags or an attribute by name; raises ConfigError where the catalogue has no such column."""
    known = {"tags": items.tags, **items.attributes}
    if attribute not in known:
        raise ConfigError(f'attribute: "{attribute}": no column of the items; choose from {", ".join(sorted(known))}')
    return known[attribute]


def value_shares(items: Catalogue, attribute: str) -> sparse.csr_matrix:
    """(n_items, n_values) 1 / n for each of an item's n values, so that a row sums to 1, or to 0 without any.

    Several values in a cell stand between , ; or |. Case and blanks around a value do not count.
    Raises ConfigError where the column does not exist or no item has a value in it.
    """
    cells = column(items, attribute)
    rows = [sorted({one.strip().lower() for one in _BREAK.split(cell)} - {""}) for cell in cells]
    names = {name: place for place, name in enumerate(sorted({name for row in rows for name in row}))}
    if not names:
        raise ConfigError(f'attribute: "{attribute}": no item has a value in this column; name another one')
    lengths = np.array([len(row) for row in rows], np.int64)
    shares = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    places = np.array([names[name] for row in rows for name in row], np.int32)
    return sparse.csr_matrix((shares, places, np.concatenate([[0], np.cumsum(lengths)])), (len(rows), len(names)))
