"""The columns of a catalogue that hold values, a cell to the values in it, and all of them to a matrix."""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
from scipy import sparse

from palate.data.dataset import Catalogue
from palate.errors import ConfigError

LEAST_ITEMS = 5  # that share a value
MOST_VALUES = 256  # of all columns together, the most frequent

_BETWEEN = re.compile(r"[,;|，；、]")


def columns(items: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """The tags and every attribute, by name."""
    return {"tags": items.tags, **items.attributes}


def column(items: Catalogue, name: str, where: str) -> tuple[str, ...]:
    """One of them; raises ConfigError, which names the option, where there is no such column."""
    named = columns(items)
    if name not in named:
        raise ConfigError(f'{where}: "{name}" is no attribute of the items; known: {", ".join(named)}')
    return named[name]


def cell_values(cell: str) -> list[str]:
    """What stands between commas, semicolons, bars and their Chinese forms, without blanks around it.

    >>> cell_values("Drama | 科幻、Sci-Fi,")
    ['Drama', '科幻', 'Sci-Fi']
    """
    return [value for part in _BETWEEN.split(cell) if (value := part.strip())]


def multi_hot(items: Catalogue) -> sparse.csr_matrix:
    """(n_items, n_values) float32, 1 where an item has an attribute's value or a tag; columns by falling frequency.

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
    rows = [sorted(place[value] for value in values if value in place) for values in said]
    offsets = np.cumsum([0, *map(len, rows)])
    values = np.array([column for row in rows for column in row], np.int32)
    return sparse.csr_matrix((np.ones(len(values), np.float32), values, offsets), (len(items), len(frequent)))
