"""Rules on what may be shown: allow and deny lists, attribute conditions, nothing seen before.

`eligible` turns rules into a mask that retrieval honours, so that lists stay full; the guard `Rules` then
holds every list against the request once more, whatever the stages before it did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from palate.data.dataset import Catalogue
from palate.errors import ConfigError
from palate.types import NO_ITEM, Bools, Queries, Slate, Verdict


def eligible(
    items: Catalogue,
    *,
    allow: Sequence[str] | None = None,
    deny: Sequence[str] = (),
    where: Mapping[str, str | Sequence[str]] | None = None,
) -> Bools:
    """(n_items,) what the rules permit.

    allow: if given, only these item ids. deny: never these. where: attribute name to the value or values permitted.
    Raises UnknownIdError for an id, ConfigError for an attribute that the catalogue does not have.
    """
    mask = np.full(len(items), allow is None)
    mask[[items.ids.row(name) for name in allow or ()]] = True
    mask[[items.ids.row(name) for name in deny]] = False
    for attribute, wanted in (where or {}).items():
        if attribute not in items.attributes:
            known = ", ".join(sorted(items.attributes)) or "none"
            raise ConfigError(f"where.{attribute}: the catalogue has no such attribute; it has {known}")
        values = {wanted} if isinstance(wanted, str) else set(wanted)
        mask &= np.array([value in values for value in items.attributes[attribute]], np.bool_)
    return mask


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Removes what the user already had and what the request's rules do not permit."""

    def check(self, queries: Queries, slate: Slate) -> Verdict:
        real = slate.items != NO_ITEM
        rows = np.broadcast_to(np.arange(len(slate))[:, None], slate.items.shape)
        width = max(int(slate.items.max(initial=0)), int(queries.seen.values.max(initial=0))) + 1
        seen = np.isin(rows * width + slate.items, queries.seen.row_of * width + queries.seen.values) & real
        banned = np.zeros_like(real) if queries.eligible is None else ~queries.eligible[slate.items] & real
        return Verdict(keep=real & ~seen & ~banned, why={"seen": seen, "rules": banned})
