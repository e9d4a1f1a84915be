"""The columns of a catalogue that hold values, and a cell of them to the values in it."""

import re
from collections.abc import Mapping

from palate.data.dataset import Catalogue

_BETWEEN = re.compile(r"[,;|，；、]")


def columns(items: Catalogue) -> Mapping[str, tuple[str, ...]]:
    """The tags and every attribute, by name."""
    return {"tags": items.tags, **items.attributes}


def cell_values(cell: str) -> list[str]:
    """What stands between commas, semicolons, bars and their Chinese forms, without blanks around it.

    >>> cell_values("Drama | 科幻、Sci-Fi,")
    ['Drama', '科幻', 'Sci-Fi']
    """
    return [value for part in _BETWEEN.split(cell) if (value := part.strip())]
