"""A column of the items to what it says of each: the shares of its values, as a sparse matrix."""

import numpy as np
from scipy import sparse

from palate.data.dataset import Catalogue
from palate.errors import ConfigError
from palate.text.values import cell_values, columns


def column(items: Catalogue, attribute: str) -> tuple[str, ...]:
    """(n_items,) the tags or an attribute by name; raises ConfigError where the catalogue has no such column."""
    known = columns(items)
    if attribute not in known:
        raise ConfigError(f'attribute: "{attribute}": no column of the items; choose from {", ".join(sorted(known))}')
    return known[attribute]


def value_shares(items: Catalogue, attribute: str) -> sparse.csr_matrix:
    """(n_items, n_values) 1 / n for each of an item's n values, so that a row sums to 1, or to 0 without any.

    A cell may hold several values (see `cell_values`). Case does not count.
    Raises ConfigError where the column does not exist or no item has a value in it.
    """
    cells = column(items, attribute)
    rows = [sorted({value.lower() for value in cell_values(cell)}) for cell in cells]
    names = {name: place for place, name in enumerate(sorted({name for row in rows for name in row}))}
    if not names:
        raise ConfigError(f'attribute: "{attribute}": no item has a value in this column; name another one')
    lengths = np.array([len(row) for row in rows], np.int64)
    shares = np.repeat(1 / np.maximum(lengths, 1), lengths).astype(np.float32)
    places = np.array([names[name] for row in rows for name in row], np.int32)
    return sparse.csr_matrix((shares, places, np.concatenate([[0], np.cumsum(lengths)])), (len(rows), len(names)))
