"""Items that a model was not trained on, or that were rewritten since, known by their texts alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from palate.data.dataset import Catalogue, IdMap
from palate.retrieve.axes import project
from palate.retrieve.dense import Dense
from palate.retrieve.top import fitted
from palate.serve.entries import Entry
from palate.text.render import item_texts
from palate.types import Bools, Floats, Ints
from palate.vectors import unit_rows

COLUMNS = ("title", "description", "tags")


@dataclass(frozen=True, eq=False)
class Annex:
    """m items beside a catalogue of n, in the space of the text retriever that read the catalogue.

    rows: (m,) the row that each has in the catalogue, or n, n + 1, ... for those that have none, in order of arrival
    vectors: (m, dim) unit rows, zero where an item has no text
    """

    n_items: int
    entries: tuple[Entry, ...] = ()
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    vectors: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    new: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.entries)

    def taking_in(self, entries: Sequence[Entry], base: IdMap, reader: Dense) -> "Annex":
        """The annex with entries that are new or changed; those deleted are taken out, their numbers stay."""
        told = {one.id: one for one in entries}
        stay = np.array([one.id not in told for one in self.entries], np.bool_)
        kept = [one for one, here in zip(self.entries, stay, strict=True) if here]
        came = [one for one in told.values() if not one.deleted]
        new = dict(self.new)
        for one in came:
            if one.id not in base:
                new.setdefault(one.id, self.n_items + len(new))
        rows = [new[one.id] if one.id in new else base.row(one.id) for one in came]
        vectors = read(came, reader)
        return replace(
            self,
            entries=(*kept, *came),
            rows=np.concatenate([self.rows[stay], np.array(rows, np.int32)]),
            vectors=np.concatenate([self.vectors[stay], vectors]) if kept else vectors,
            new=new,
        )

    def row(self, item_id: str, base: IdMap) -> int | None:
        """The number of an item here or in the catalogue; None where it is in neither."""
        return base.row(item_id) if item_id in base else self.new.get(item_id)

    def id(self, row: int, base: IdMap) -> str:
        """The opposite of `row`."""
        return base.ids[row] if row < self.n_items else self._new_ids[row - self.n_items]

    @cached_property
    def _new_ids(self) -> tuple[str, ...]:
        return tuple(self.new)

    def permitted(self, where: Sequence[tuple[str, tuple[str, ...]]]) -> Bools:
        """(m,) those whose attributes have one of the permitted values each."""
        return np.array(
            [all(one.fields.get(name, "") in values for name, values in where) for one in self.entries], np.bool_
        )

    def history(self, rows: Ints, reader: Dense) -> Floats:
        """(dim,) what a history (numbers here or in the catalogue, oldest first) means: a unit vector, or zero."""
        config = reader.config
        newest = list(dict.fromkeys(rows[::-1].tolist()))[: config.last or None]
        base = fitted(reader.vectors_, reader)
        place = {int(row): at for at, row in enumerate(self.rows)}
        total = np.zeros(base.shape[1], np.float32)
        for age, row in enumerate(newest):
            if row in place:
                total += config.decay**age * self.vectors[place[row]]
            elif row < self.n_items:
                total += config.decay**age * base[row]
        meaning: Floats = unit_rows(total[None])[0]
        return meaning


def read(entries: Sequence[Entry], reader: Dense) -> Floats:
    """(m, dim) what the texts of entries mean, as the reader's catalogue is read."""
    texts = item_texts(_catalogue(entries))
    encoded = reader.encoder.encode(texts, role="item")
    return project(encoded, fitted(reader.mean_, reader), fitted(reader.axes_, reader))


def _catalogue(entries: Sequence[Entry]) -> Catalogue:
    ids = IdMap(tuple(one.id for one in entries))
    title, description, tags = (tuple(one.fields.get(name, "") for one in entries) for name in COLUMNS)
    return Catalogue(ids, title, description, tags)
