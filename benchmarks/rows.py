"""The values that a table of results is made of: what it is about, and its rows."""

from dataclasses import dataclass
from typing import Any

from palate.data.audit import Finding
from palate.evaluation.result import PairResult, RecipeResult


@dataclass(frozen=True)
class About:
    """What all rows of a table share; rows of another table, another cut or other data do not fit in.

    protocol: "A" or "B". data: counts and the hash of everything read, held-out events included.
    split_seed: of the cut, the same whatever seed a recipe runs with. parts: the slices, group and name of each.
    """

    name: str
    protocol: str
    split: str
    split_seed: int
    metric: str
    k: int
    data: dict[str, str]
    parts: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What must agree."""
        return (self.name, self.protocol, self.split, self.split_seed, self.metric, self.k, self.data, self.parts)


@dataclass(frozen=True)
class Row:
    """One recipe with one seed.

    peer: another library's. allowed: the tuning it got. code: of this library, see `book.code_versions`.
    seedless: another seed gave everybody the same value.
    """

    recipe: str
    seed: int
    peer: bool
    allowed: str
    seedless: bool
    code: str
    environment: dict[str, str]
    result: RecipeResult
    pairs: tuple[PairResult, ...]

    @property
    def key(self) -> str:
        return f"{self.recipe}@{self.seed}"
