"""Item attributes as a JSON Lines file that a person may edit: item_id, tags, aspects, source and a hash that tells."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from palate.errors import DataError
from palate.text.made import Parts, in_form, seal
from palate.text.made_file import origin, read_lines, row_of, write_lines

HEADS = ("Tags", "Aspects")
BETWEEN = ("; ", "; ")
TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is known of an item.

    tags: what it is. aspects: what its reviews speak of.
    source: "texts", "generated" or "edited".
    hash: what it was made from, a dash, and its text as it was made; 16 characters each.
    """

    item_id: str
    tags: tuple[str, ...]
    aspects: tuple[str, ...]
    source: str
    hash: str

    @staticmethod
    def of(item_id: str, parts: Parts, source: str, evidence: str) -> "Attributes":
        """Tags and aspects that were made just now from what has this hash."""
        return Attributes(item_id, parts[0], parts[1], source, seal(evidence, in_form(HEADS, BETWEEN, parts)))

    @property
    def text(self) -> str:
        """In the form that a model is asked for."""
        return in_form(HEADS, BETWEEN, (self.tags, self.aspects))


def read_attributes(path: Path) -> tuple[Attributes, ...]:
    """The lines of a file in its order, () where there is no file. Raises DataError naming file, line and fix.

    A line without `source` and `hash` is one that a person wrote.
    """
    return read_lines(path, _parsed, lambda one: one.item_id, "item")


def write_attribute_lines(path: Path, attributes: Iterable[Attributes]) -> None:
    """One line for each, in one step, so that a stopped run leaves the old file."""
    write_lines(path, attributes)


def _parsed(line: str, place: str) -> Attributes:
    example = '{"item_id": "i1", "tags": ["steel"], "aspects": ["rust"]}'
    row = {"tags": [], "aspects": [], **row_of(line, place, example)}
    lists = (row["tags"], row["aspects"])
    good = all(isinstance(one, list) and all(isinstance(value, str) for value in one) for one in lists)
    if not isinstance(row.get("item_id"), str) or not good:
        raise DataError(
            f"{place}: item_id must be a text, tags and aspects lists of texts; write for example {example}"
        )
    return Attributes(row["item_id"], tuple(row["tags"]), tuple(row["aspects"]), *origin(row, place, TEXTS))
