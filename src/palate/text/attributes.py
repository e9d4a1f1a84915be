"""A data set to what its items' texts and reviews say of them, in one form of two lines: tags and aspects.

    Tags: Sci-Fi; space ship; android
    Aspects: scary; slow

Whatever a model writes is read back by line and checked: what the item's own texts do not say is dropped.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from palate.config import option, options
from palate.contracts import Generator
from palate.data.dataset import Dataset
from palate.data.liked import disliked
from palate.errors import DataError
from palate.text.attributes_file import HEADS, TEXTS, Attributes
from palate.text.made import Outcome, Parts, said_alone, write
from palate.text.telling import contrasted, telling
from palate.text.values import LEAST_ITEMS, cell_values, column
from palate.text.words import words
from palate.types import Ints, Longs

_ASKED = """\
An item's texts.
{texts}
Describe the item in exactly these two lines, with words from the texts only:
Tags: what it is and what it is about, with semicolons between
Aspects: what its reviews speak of, with semicolons between, nothing if there are none"""


@options
class AttributesConfig:
    tags: int = option(10, "The item's own tags, the first.", low=0)
    telling: int = option(5, "Further tags: the words and phrases of its texts that tell it apart best.", low=0)
    aspects: int = option(5, "Words of its reviews that liked and disliked events do not share.", low=0)
    attribute: str = option("tags", "The tags or attribute that holds the item's own tags.")
    least: int = option(LEAST_ITEMS, "Items that share a telling word, at least.", low=1)
    share: float = option(0.1, "Words that more of all items, or of all reviews, have tell nothing.", low=0.0, high=1.0)
    claim_chars: int = option(40, "Characters above which a claim of a model is none.", low=1)
    shown_chars: int = option(2000, "Characters of texts, and of reviews, that a model which writes is shown.", low=1)
    max_tokens: int = option(100, "Tokens that a model may write.", low=8)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What supports an item's attributes.

    own, telling, aspects: its own tags, words that tell it apart, and words of its reviews, each best first; of the
    last two no more than are shown, so that what changes elsewhere in the catalogue rarely changes it.
    texts, reviews: all that is said of it, a line for each.
    """

    own: tuple[str, ...]
    telling: tuple[str, ...]
    aspects: tuple[str, ...]
    texts: str
    reviews: str


def write_attributes(
    data: Dataset,
    items: Ints | Longs,
    config: AttributesConfig | None = None,
    *,
    generator: Generator | None = None,
    before: Sequence[Attributes] = (),
) -> Outcome[Attributes]:
    """The attributes of each item, in their order, and after them those of `before` that others have.

    Reviews come from `data` only: give the training part where attributes must not know the future.
    before: those of an earlier run; edited ones stay, and so do those whose texts, options and model are the same.
    """
    config = config or AttributesConfig()
    known = evidence(data, config)
    seen = {data.items.ids.ids[item]: known[item] for item in items}
    return write(Thing(config), seen, {one.item_id: one for one in before}, generator)


def evidence(data: Dataset, config: AttributesConfig) -> list[Evidence]:
    """(n_items) what each item's texts and reviews support; raises ConfigError where there is no such attribute."""
    items = data.items
    own = [tuple(dict.fromkeys(cell_values(cell))) for cell in column(items, config.attribute, "attribute")]
    reviews = _reviews(data)
    parts = [(title, text) for title, text in zip(items.title, items.description, strict=True)]
    said = ["\n".join([*filter(None, one), *reviews[item]]) for item, one in enumerate(parts)]
    apart, aspects = telling(said, config.least, config.share), _aspects(data, config)
    return [
        Evidence(
            own[item],
            apart[item][: config.telling],
            aspects[item][: config.aspects],
            "\n".join(filter(None, (*parts[item], ", ".join(own[item])))),
            "\n".join(reviews[item]),
        )
        for item in range(len(items))
    ]


def with_attributes(data: Dataset, attributes: Sequence[Attributes]) -> Dataset:
    """The same data set with tags and aspects behind its items' tags, each once, where everything that reads tags
    finds them.

    Raises DataError where none of the attributes is of one of its items.
    """
    known = {one.item_id: (*one.tags, *one.aspects) for one in attributes if one.item_id in data.items.ids}
    if not known:
        raise DataError(f"attributes: none of {len(attributes)} lines is of an item here; write them for this data set")
    rows = zip(data.items.ids.ids, data.items.tags, strict=True)
    tags = tuple(_joined(own, known.get(name, ())) for name, own in rows)
    note = f"attributes: tags and aspects of {len(known):,} of {data.n_items:,} items are read as tags"
    return replace(data, items=replace(data.items, tags=tags), notes=(*data.notes, note))


@dataclass(frozen=True, slots=True)
class Thing:
    """The form of an item's attributes.

    >>> from palate.text.made import checked
    >>> seen = Evidence(("Sci-Fi",), (), (), "Alien\\nA space ship is attacked\\nSci-Fi", "so scary")
    >>> checked(Thing(), "Tags: sci-fi; Space ship; romance\\nAspects: scary; attacked", seen)
    ((('Sci-Fi', 'Space ship'), ('scary',)), 5, 2)
    """

    config: AttributesConfig = AttributesConfig()
    heads: ClassVar[tuple[str, ...]] = HEADS

    @property
    def options(self) -> str:
        return repr(self.config)

    @property
    def max_tokens(self) -> int:
        return self.config.max_tokens

    def rendered(self, seen: Evidence) -> Parts:
        return _distinct((*seen.own[: self.config.tags], *seen.telling)), seen.aspects

    def asked(self, seen: Evidence) -> str:
        most = self.config.shown_chars
        shown = [seen.texts[:most], f"Reviews:\n{seen.reviews[:most]}" if seen.reviews else ""]
        return _ASKED.format(texts="\n".join(filter(None, shown))) if any(shown) else ""

    def claims(self, text: str, part: int) -> list[str]:
        return list(_distinct(tuple(filter(None, map(said_alone, cell_values(text))))))

    def supported(self, claim: str, part: int, seen: Evidence) -> str | None:
        """Its words stand in the item's texts; those of an aspect, in its reviews."""
        said = seen.reviews if HEADS[part] == "Aspects" else f"{seen.texts}\n{seen.reviews}"
        asked = words(claim)
        if not asked or len(claim) > self.config.claim_chars or not set(asked) <= set(words(said)):
            return None
        return next((own for own in seen.own if own.casefold() == claim.casefold()), claim)

    def line(self, name: str, parts: Parts, source: str | None, evidence: str) -> Attributes:
        return Attributes.of(name, parts, source or TEXTS, evidence)


def _reviews(data: Dataset) -> dict[int, list[str]]:
    """Per item its reviews in the order of the events; nothing where the log has none."""
    found: dict[int, list[str]] = defaultdict(list)
    for item, text in zip(data.events.item.tolist(), data.events.text, strict=False):
        if tidy := " ".join(text.split()):
            found[item].append(tidy)
    return found


def _aspects(data: Dataset, config: AttributesConfig) -> list[tuple[str, ...]]:
    """(n_items) words of an item's reviews that are more frequent with liked or with disliked events."""
    events = data.events
    if not events.text:
        return [()] * data.n_items
    rows = [row for row in np.flatnonzero(events.liked | disliked(events)) if events.text[row].strip()]
    texts = [events.text[row] for row in rows]
    return contrasted(texts, events.liked[rows], events.item[rows].tolist(), data.n_items, config.share)


def _joined(tags: str, more: Sequence[str]) -> str:
    """A cell with further values behind its own."""
    had = {value.casefold() for value in cell_values(tags)}
    new = [value for value in _distinct(tuple(more)) if value.casefold() not in had]
    return ", ".join(filter(None, [tags, *new]))


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """Each once, whatever its case, as it stands first."""
    first: dict[str, str] = {}
    for value in values:
        first.setdefault(value.casefold(), value)
    return tuple(first.values())
