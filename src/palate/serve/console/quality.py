"""What the live version's data is like, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from palate.serve.annex import COLUMNS
from palate.serve.console.measures import by
from palate.serve.service import Service


@dataclass(frozen=True, slots=True)
class Finding:
    """How many of how many are as `name` says; trouble: from which share on it is worth a look."""

    name: str
    part: int
    whole: int
    trouble: float

    @property
    def bad(self) -> bool:
        return self.whole > 0 and self.part / self.whole >= self.trouble


def findings(service: Service) -> list[Finding]:
    """The numbers of the page, in order."""
    live, data = service.live, service.live.model.data
    columns = zip(*(getattr(data.items, name) for name in COLUMNS), strict=True)
    silent = sum(not any(texts) for texts in columns)
    liked, items = np.bincount(data.events.user[data.events.liked], minlength=data.n_users), data.events.item
    pairs = data.events.user.astype(np.int64) * max(data.n_items, 1) + items
    outcomes = by(service.counters.events, "outcome")
    posted = service.state.items.values()
    return [
        Finding("items_without_text", silent, data.n_items, 0.2),
        Finding("items_without_events", data.n_items - len(np.unique(items)), data.n_items, 0.5),
        Finding("items_untrained", sum(one.id not in data.items.ids for one in live.annex.entries), data.n_items, 0.2),
        Finding("items_rewritten", sum(one.id in data.items.ids for one in live.annex.entries), data.n_items, 0.2),
        Finding("items_deleted", sum(one.deleted for one in posted), data.n_items, 0.2),
        Finding("users_without_likes", int((liked == 0).sum()), data.n_users, 0.5),
        Finding("users_with_few", int(((liked > 0) & (liked < 5)).sum()), data.n_users, 0.7),
        Finding("events_liked", int(data.events.liked.sum()), len(data.events), 2.0),
        Finding("events_again", len(pairs) - len(np.unique(pairs)), len(data.events), 0.5),
        Finding("events_repeated", outcomes.get("repeated", 0), sum(outcomes.values()), 0.2),
    ]


def notes(service: Service) -> Sequence[str]:
    """What was decided while the data was read, in sentences."""
    told: Sequence[str] = service.live.model.about.get("notes") or service.live.model.data.notes
    return told
