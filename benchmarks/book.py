"""The rows of one table so far, on disk: a JSON file to read and per-user values beside it, to compare on any merge.

Rows are added one by one, in as many runs as it takes, as long as data, split and code are the same.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

import palate
from benchmarks.lines import Line, against_best, lines
from benchmarks.rows import About, Row
from palate.errors import DataError
from palate.evaluation.result import Comparison, built, plain
from palate.types import Floats

FORMAT = 2
# What a figure cannot depend on; everything else of the library is part of a row's code version.
OUTSIDE = ("cli", "serve", "explain", "assets", "evaluation/report.py", "evaluation/plots.py")


@dataclass(frozen=True, eq=False)
class Book:
    """columns: per row its main metric per test user, on everything and on each slice (Q, 1 + slices)."""

    about: About
    rows: tuple[Row, ...] = ()
    columns: Mapping[str, Floats] = field(default_factory=dict)

    @staticmethod
    def open(path: Path, about: About) -> "Book":
        """The book at `path`, empty where there is none; raises DataError where its rows are of another cut or data."""
        if not path.is_file():
            return Book(about)
        found = Book.read(path)
        if found.about.identity != about.identity:
            raise DataError(f"{path.name}: its rows are of other data or another split; move it away to start anew")
        return replace(found, about=about)

    @staticmethod
    def read(path: Path) -> "Book":
        """Raises DataError where the file is something else."""
        try:
            tree = json.loads(path.read_text(encoding="utf8"))
            if tree["format"] != FORMAT:
                raise ValueError("another format")
            rows = tuple(built(Row, row) for row in tree["rows"])
            about = built(About, tree["about"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path.name}: not the rows of a benchmark ({error}); run it again") from None
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        return Book(about, rows, columns)

    def ready_for(self, recipes: Sequence[str], codes: Mapping[bool, str], *, mixed: bool) -> "Book":
        """The book without rows of these recipes that other code made, since they are run again.

        Raises DataError where rows of further recipes are of other code, unless `mixed`.
        """
        rows = tuple(row for row in self.rows if row.code == codes[row.peer] or row.recipe not in recipes)
        others = sorted({row.recipe for row in rows if row.code != codes[row.peer]})
        if others and not mixed:
            text = f"{self.about.name}: made by other code: {', '.join(others)}; run these again in the same call"
            raise DataError(f"{text}, or keep them with --mixed, which the page tells")
        return replace(self, rows=rows, columns={row.key: self.columns[row.key] for row in rows})

    def having(self, row: Row, columns: Floats) -> "Book":
        """The book with that row, in place of an older one of the same recipe and seed."""
        rows = (*(one for one in self.rows if one.key != row.key), row)
        return replace(self, rows=rows, columns={**self.columns, row.key: columns})

    def only(self, recipe: str, row: Row) -> "Book":
        """The book with that row alone for the recipe; its values are those already there."""
        rows = tuple(one for one in self.rows if one.recipe != recipe)
        return replace(self, rows=(*rows, row), columns={one.key: self.columns[one.key] for one in (*rows, row)})

    def write(self, path: Path) -> None:
        """Both files, with what follows from the rows: a line for each recipe and the comparisons with the best."""
        path.parent.mkdir(exist_ok=True)
        found = lines(self.rows, self.columns, self.about)
        tree = {
            "format": FORMAT,
            "about": asdict(self.about),
            "lines": [asdict(line) for line in found],
            "comparisons": [asdict(one) for one in against_best(found, self.rows, self.columns)],
            "rows": [asdict(row) for row in self.rows],
        }
        text = json.dumps(plain(tree), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf8")
        np.savez_compressed(path.with_suffix(".npz"), **self.columns)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Table:
    """A book as the page needs it: nothing is computed again."""

    about: About
    lines: tuple[Line, ...]
    comparisons: tuple[Comparison, ...]
    rows: tuple[Row, ...]

    @staticmethod
    def read(path: Path) -> "Table":
        tree = json.loads(path.read_text(encoding="utf8"))
        if tree.pop("format", None) != FORMAT:
            raise DataError(f"{path.name}: of an older format; run it again")
        made: Table = built(Table, tree)
        return made


def code_versions() -> dict[bool, str]:
    """A hash of the library's source, without the parts that no figure depends on; for peers (True) with theirs."""
    digest = hashlib.sha256()
    codes = {}
    for peer, root in ((False, Path(palate.__file__).parent), (True, Path(__file__).parent / "peers")):
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if peer or not name.startswith(OUTSIDE):
                digest.update(f"{name}\x1f".encode() + path.read_bytes() + b"\x1e")
        codes[peer] = f"{version('palate')}+{digest.hexdigest()[:10]}"
    return codes
