"""One version of the model being served: asks in outside ids to listings, with what happened since it was trained."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from cachetools import LRUCache

from palate import build
from palate.data.grow import liked_from
from palate.errors import ConfigError, UnknownIdError
from palate.explain.narrate import sentence
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.dense import Dense, DenseConfig
from palate.runtime import Runtime
from palate.serve.annex import COLUMNS, Annex
from palate.serve.asks import Ask, Listing, Shown
from palate.serve.course import stage_name
from palate.serve.listening import listening, reading
from palate.serve.merge import merged
from palate.serve.state import State
from palate.serve.trained import Training
from palate.types import NO_ITEM, STRANGER, Answer, Bools, Ints, Queries, Ragged, Slate

CROWD = 1000  # items of the list for everybody
SPARE = 50  # items beyond a list's length, at most
MARKS = 256  # masks of attribute values that are remembered
EVERY = 10  # of so many places one is an item's that nobody liked yet, where the model does not say how many


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of one ask, in row numbers of catalogue and annex."""

    user: int
    history: Ints
    seen: Ints
    wish: str


class Version:
    """A model beside the state: a person's list changes with each event, an item is found as soon as it is posted.

    A history is what the model was trained on, then what was logged since. Items that it was not trained on are known
    by their texts (see `Annex`) and merged into its lists (see `merged`). A person who was deleted, and whoever asks
    not to be known, is a stranger.

    caught_up: how many changes of items the annex holds
    """

    def __init__(
        self, name: str, model: Model, state: State, encoder: str = "as-trained", ranker: str = "as-trained"
    ) -> None:
        self.name = name
        self.model = model
        self.training = Training.of(model)
        self.recommender: Recommender = reading(listening(model.recommender, encoder), ranker)
        self.reader = _reader(self.recommender, model, encoder)
        self.annex = Annex(model.data.n_items)
        self._state = state
        self.caught_up = -1
        self._turn, self._marking = threading.Lock(), threading.Lock()
        self._marks: LRUCache[tuple[str, str], Bools] = LRUCache(MARKS)
        self._gone = np.zeros(model.data.n_items, np.bool_)
        self.catch_up()

    def catch_up(self) -> None:
        """Take in the items that changed since the last time."""
        with self._turn:
            changes, entries = self._state.item_changes, self._state.items
            if changes == self.caught_up:
                return
            held = {one.id: one for one in self.annex.entries}
            ids = self.model.data.items.ids
            fresh = [
                one
                for one in entries.values()
                if one.changed > self.training.began and (one.deleted or held.get(one.id) is not one)
            ]
            if self.reader:
                self.annex = self.annex.taking_in(fresh, ids, self.reader)
            gone = np.zeros(len(ids), np.bool_)
            gone[[ids.row(one.id) for one in entries.values() if one.deleted and one.id in ids]] = True
            self._gone, self.caught_up = gone, changes

    def wake(self) -> None:
        """Load what reads items' texts, so that the first one posted need not wait for it."""
        if self.reader:
            self.reader.encoder.encode(["an item"], role="item")

    def stages(self, *, explain: bool) -> tuple[str, ...]:
        """The stages that an ask goes through."""
        rankers = tuple(stage_name(one) for one in self.recommender.rankers)
        return ("retrieve", *rankers, "guard", *(("explain",) if explain else ()))

    def crowd(self, ask: Ask, why: str = "personal_deadline") -> Listing:
        """What everybody is given, made beforehand, less what this person had: an answer that takes no time."""
        told, mask = self._told(ask), self._eligible(ask)
        had = () if ask.include_seen else told.seen
        rows = self._crowd[~np.isin(self._crowd, had)]
        rows = rows if mask is None else rows[mask[rows]]
        if ask.candidates is not None:
            rows = np.array([self._row(one) for one in ask.candidates], np.int32)
            rows = rows[np.argsort([self._crowd_place(row) for row in rows], kind="stable")]
        shown = tuple(
            Shown(self.annex.id(int(row), self._ids), self.title(int(row)), float(-place))
            for place, row in enumerate(rows[: ask.k])
        )
        return Listing(self.name, shown, "popularity", (why,))

    def knows(self, item_id: str) -> bool:
        """Whether an item can be shown or named in a history."""
        entry = self._state.item(item_id)
        if entry is not None and entry.deleted:
            return False
        return self.annex.row(item_id, self.model.data.items.ids) is not None

    def answer(self, asks: Sequence[Ask], recommender: Recommender, degraded: tuple[str, ...] = ()) -> list[Listing]:
        """A listing each; asks that are answered together share everything but user, text, history and k.

        recommender: this version's, or one with stages left out, as `degraded` tells.
        """
        first, k = asks[0], max(ask.k for ask in asks)
        told = [self._told(ask) for ask in asks]
        queries, annex = self._queries(told, first), self.annex
        known = len(self._gone)
        if first.candidates is not None:
            rows = np.array([self._row(one) for one in first.candidates], np.int32)
            answer = self._ranked(recommender, queries, rows[rows < known])
            shown = np.isin(annex.rows, rows)
        else:
            spare = min(int((annex.rows < known).sum()), SPARE)  # for those that were rewritten and may have to go
            answer = recommender.recommend(queries, k + spare, explain=first.explain)
            shown = annex.permitted(first.where) & self._allowed(annex.rows, first)
        return [
            self._listing(ask, one, answer, place, annex, shown, degraded)
            for place, (ask, one) in enumerate(zip(asks, told, strict=True))
        ]

    def _listing(
        self, ask: Ask, told: _Told, answer: Answer, place: int, annex: Annex, shown: Bools, degraded: tuple[str, ...]
    ) -> Listing:
        """annex: as it was when this was asked, whatever came since; shown: (m,) what of it may be shown."""
        items, scores = answer.slate.items[place], answer.slate.scores[place]
        real = items != NO_ITEM
        items, scores = items[real], scores[real]
        reasons = [tuple(one) for one in answer.reasons[place]] if answer.reasons else [()] * len(items)
        texts = {int(item): self._sentences(found, told.wish) for item, found in zip(items, reasons, strict=False)}
        new: frozenset[int] = frozenset()
        given = ask.candidates is not None
        usable = shown if ask.include_seen or given else shown & ~np.isin(annex.rows, told.seen)
        if self.reader and usable.any() and ((asked := self._asked(told)).any() or given):
            every = 0 if told.wish or given else self._every
            items, scores, new = merged(items, scores, annex, usable, asked, self.reader, k=ask.k, every=every)
        titles = [self.title(int(item)) for item in items[: ask.k]]
        return Listing(
            self.name,
            tuple(
                Shown(annex.id(int(item), self._ids), title, float(score), texts.get(int(item), ()), item in new)
                for item, title, score in zip(items[: ask.k], titles, scores, strict=False)
            ),
            answer.basis[place] if answer.basis else "history",
            degraded,
        )

    def title(self, row: int) -> str:
        """What an item is called now."""
        name = self.annex.id(row, self._ids)
        entry = self._state.item(name)
        if entry is not None and entry.fields.get("title"):
            return entry.fields["title"]
        return self.model.data.items.title[row] if row < len(self._ids) else name

    @cached_property
    def _crowd(self) -> Ints:
        """What someone of whom nothing is known is shown, as far down as lists go."""
        stranger = Queries(np.array([STRANGER], np.int32), Ragged.empty(1), Ragged.empty(1), ("",))
        items: Ints = self.recommender.recommend(stranger, CROWD).slate.items[0]
        crowd: Ints = items[items != NO_ITEM]
        return crowd

    def _crowd_place(self, row: int) -> int:
        found = np.flatnonzero(self._crowd == row)
        return int(found[0]) if len(found) else len(self._crowd)

    @property
    def _ids(self) -> Any:
        return self.model.data.items.ids

    @cached_property
    def _every(self) -> int:
        return int(self.model.about.get("newcomers", EVERY)) or EVERY

    def _row(self, item_id: str) -> int:
        row = self.annex.row(item_id, self._ids)
        if row is None or not self.knows(item_id):
            raise UnknownIdError(f'item "{item_id}" is not known; post it first, or leave it out')
        return row

    def _told(self, ask: Ask) -> _Told:
        """Everything that may be read of the one who asks; nothing of a person who is not to be known."""
        named = np.array([self._row(one) for one in ask.history], np.int32)
        if not ask.personal or ask.user_id is None:
            return _Told(STRANGER, named, named, ask.text or self._new_words(named))
        data, user_id = self.model.data, ask.user_id
        entry = self._state.user(user_id)
        erased = entry is not None and entry.deleted and entry.changed > self.training.began
        user = STRANGER if erased or user_id not in data.users.ids else data.users.ids.row(user_id)
        liked, had = self._logged(user_id)
        if user != STRANGER:
            before = data.queries(np.array([user], np.int32))
            liked, had = np.concatenate([before.histories[0], liked]), np.concatenate([before.seen[0], had])
        declared = entry.fields.get("text", "") if entry is not None and not len(liked) else ""
        return _Told(user, liked, had, ask.text or declared or self._new_words(liked))

    def _new_words(self, history: Ints) -> str:
        """The text of the newest item of a history of which the model knows none: it speaks instead."""
        if not len(history) or (history < len(self._gone)).any():
            return ""
        entry = self._state.item(self.annex.id(int(history[-1]), self._ids))
        return "" if entry is None else " ".join(entry.fields.get(name, "") for name in COLUMNS).strip()

    def _logged(self, user_id: str) -> tuple[Ints, Ints]:
        """What someone liked, and had, since training."""
        pairs = [
            (row, self.likes(event.value))
            for event in self._state.events_of(user_id)
            if self.training.without(event) and (row := self.annex.row(event.item_id, self._ids)) is not None
        ]
        liked = np.array([row for row, good in pairs if good], np.int32)
        return liked, np.array([row for row, _ in pairs], np.int32)

    def own(self, user_id: str) -> str:
        """The same id, as the model holds it where it does: what is remembered of many people takes less room."""
        ids = self.model.data.users.ids
        return ids.ids[ids.row(user_id)] if user_id in ids else user_id

    def likes(self, value: float | None) -> bool:
        """Whether an event of this value counts as liked."""
        return value is None or self._threshold is None or value >= self._threshold

    @cached_property
    def _threshold(self) -> float | None:
        """The value from which an event counts as liked, as in the data the model was trained on; None is always."""
        return liked_from(self.model.data.events)

    def _queries(self, told: Sequence[_Told], first: Ask) -> Queries:
        """The asks as the model can read them: rows of its catalogue alone."""
        known = len(self._gone)
        histories = Ragged.of([one.history[one.history < known] for one in told])
        seen = Ragged.of([one.seen[:0] if first.include_seen else one.seen[one.seen < known] for one in told])
        users = np.array([one.user for one in told], np.int32)
        return Queries(users, histories, seen, tuple(one.wish for one in told), self._eligible(first))

    def _eligible(self, ask: Ask) -> Bools | None:
        """(n_items,) what may be shown; None where that is everything."""
        if not (self._gone.any() or ask.where or ask.deny or ask.allow is not None):
            return None
        mask = ~self._gone
        for name, values in ask.where:
            mask &= np.logical_or.reduce([self._marked(name, value) for value in values])
        if ask.where:
            annex = self.annex
            inside = annex.rows < len(mask)  # those that were rewritten
            mask[annex.rows[inside]] = annex.permitted(ask.where)[inside]
        rows = np.arange(len(mask), dtype=np.int32)
        return mask & self._allowed(rows, ask) if ask.deny or ask.allow is not None else mask

    def _marked(self, name: str, value: str) -> Bools:
        """(n_items,) the items of the catalogue whose attribute has this value."""
        with self._marking:
            if (name, value) not in self._marks:
                attributes = self.model.data.items.attributes
                if name not in attributes:
                    raise ConfigError(f"where.{name}: no such attribute; known: {', '.join(sorted(attributes)) or '-'}")
                self._marks[name, value] = np.array([one == value for one in attributes[name]], np.bool_)
            return self._marks[name, value]

    def _allowed(self, rows: Ints, ask: Ask) -> Bools:
        """Which of these rows the lists of allowed and denied ids permit; ids that are not known name nothing."""
        permitted = np.ones(len(rows), np.bool_)
        for names, inside in ((ask.allow, True), (ask.deny or None, False)):
            if names is not None:
                found = [row for one in names if (row := self.annex.row(one, self._ids)) is not None]
                permitted &= np.isin(rows, found) == inside
        return permitted

    def _ranked(self, recommender: Recommender, queries: Queries, rows: Ints) -> Answer:
        items = np.tile(rows, (len(queries), 1))
        nothing = Slate(items, np.zeros(items.shape, np.float32))
        return Answer(recommender.rank(queries, items) if len(rows) else nothing, ())

    def _asked(self, told: _Told) -> Any:
        """(dim,) what the ask means, a unit vector, or zero."""
        assert self.reader is not None
        row = Queries(np.array([told.user], np.int32), Ragged.empty(1), Ragged.empty(1), (told.wish,))
        return self.annex.history(told.history, self.reader) + self.reader.asked(row)[0]

    def _sentences(self, reasons: Sequence[Any], wish: str) -> tuple[str, ...]:
        return tuple(sentence(reason, self.model.data.items.title, wish) for reason in reasons)


def _reader(recommender: Recommender, model: Model, arithmetic: str) -> Dense | None:
    """What reads new items' texts: the model's own text retriever, or one made for it; None without texts."""
    members = getattr(recommender.retriever, "members", (recommender.retriever,))
    own = [one for one in members if isinstance(one, Dense)]
    if own:
        return own[-1]
    items = model.data.items
    if not (any(items.title) or any(items.description) or any(items.tags)):
        return None
    unsearched = DenseConfig(exact_up_to=max(model.data.n_items, 16))
    fitted = Dense(unsearched, encoder=build.make_encoder("auto")).fit(model.data, Runtime())
    made: Dense = listening(fitted, arithmetic)
    return made
