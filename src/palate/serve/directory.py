"""Items and people as they are now: what was posted over what the live version was trained on."""

from bisect import bisect_right
from functools import lru_cache
from itertools import islice

from palate.data.dataset import Catalogue, IdMap
from palate.errors import UnknownIdError
from palate.serve.annex import COLUMNS
from palate.serve.state import State


def item_fields(state: State, items: Catalogue, item_id: str) -> dict[str, str]:
    """The columns of an item. Raises UnknownIdError for one that is not known or was deleted."""
    entry = state.item(item_id)
    if entry is not None and not entry.deleted:
        return dict(entry.fields)
    if entry is not None or item_id not in items.ids:
        raise UnknownIdError(f'item "{item_id}" is not known')
    row = items.ids.row(item_id)
    columns = {name: getattr(items, name)[row] for name in COLUMNS} | {
        name: column[row] for name, column in items.attributes.items()
    }
    return {name: text for name, text in columns.items() if text}


def item_ids(state: State, items: Catalogue, after: str | None, limit: int) -> list[str]:
    """The next ids after one, in order."""
    trained, posted = _sorted(items.ids), state.items
    gone = {name for name, entry in posted.items() if entry.deleted}
    start = bisect_right(trained, after) if after is not None else 0
    known = (trained[place] for place in range(start, len(trained)) if trained[place] not in gone)
    more = [name for name in posted if name not in items.ids and name not in gone and name > (after or "")]
    return sorted([*islice(known, limit), *more])[:limit]


@lru_cache(maxsize=4)
def _sorted(ids: IdMap) -> tuple[str, ...]:
    return tuple(sorted(ids.ids))
