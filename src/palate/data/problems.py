"""What is wrong with the input: the kinds of damage, a ledger of every place, and the quarantine file."""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from palate.data.tables import WHOLE, Origin, Table, longs
from palate.errors import DataError
from palate.types import Longs

SHOWN = 20  # problems of one kind in one column that are spelled out; all are counted
WIDTH = 60  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which data can be wrong, and the way out."""

    name: str
    message: str
    fix: str
    severity: Literal["error", "warning"] = "error"


EMPTY = Kind("empty file", "holds nothing", "write a header line and rows")
UNREADABLE = Kind("unreadable file", "cannot be read", "check the path, the rights and the format")
NO_ROWS = Kind("no rows", "holds no rows", "add rows, or leave the table out")
NO_GOOD_ROWS = Kind("no good rows", "holds no row that can be used", "mend the rows above")
NO_COLUMN = Kind("missing column", "is missing", "")
TWO_COLUMNS = Kind("ambiguous column", "could come from several columns", "")
SAME_COLUMN = Kind("duplicate column", "stands twice in the header", "rename or remove one")

FIELDS = Kind("wrong number of fields", "has not as many fields as the header", "quote fields that hold the separator")
QUOTES = Kind("broken quotes", "has a quote that does not close as it should", "double every quote in a quoted field")
NOT_JSON = Kind("not JSON", "is not a JSON object", "write one {...} on each line")
BYTES = Kind("undecodable bytes", "holds bytes that its encoding does not have", "save the file as UTF-8")
CONTROL = Kind("control character", "holds a control character", "remove it")
NO_ID = Kind("missing id", "is empty", "give the row an id or remove it")
FLOAT_ID = Kind("id not whole", "is not a whole number", "give ids as text or whole numbers")
BAD_TIME = Kind("bad time", "is not a time", "use seconds, milliseconds or ISO 8601")
EARLY = Kind("time before 1970", "lies before 1970", "correct it; negative times are not read")
FUTURE = Kind("time in the future", "lies in the future", "correct the clock or the unit")
BAD_NUMBER = Kind("bad number", "is not a finite number", "use a plain number such as 4 or 3.5")
UNKNOWN_ITEM = Kind("unknown item", "is not in the items table", "add the item there or remove the event")
SAME_ID = Kind("duplicate id", "stands in an earlier row too", "keep one row for each id")

LATIN = Kind("not UTF-8", "was read as Latin-1", "save the file as UTF-8", "warning")
SPACES = Kind("spaces around id", "has spaces around it, which were removed", "remove them", "warning")
NO_TITLE = Kind("empty title", "is empty, the id stands in for it", "give the item a title", "warning")
NO_TEXT = Kind("item without text", "has neither title, description nor tags", "describe the item", "warning")
SAME_EVENT = Kind("duplicate event", "repeats an earlier event and was left out", "log each event once", "warning")
NEW_USER = Kind("user not in users table", "is not in the users table and was added", "add the user there", "warning")


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad place, ready to show: `events.csv:7: time "yesterday" is not a time; use seconds, ...`."""

    kind: str
    severity: Literal["error", "warning"]
    file: str
    line: int
    place: str
    column: str
    value: str
    message: str
    fix: str

    def __str__(self) -> str:
        shown = self.value if self.value.isprintable() else repr(self.value)[1:-1]
        shown = shown if len(shown) <= WIDTH else f"{shown[: WIDTH - 3]}..."
        words = (self.column, f'"{shown}"' if shown else "", self.message)
        return f"{self.place}: {' '.join(filter(None, words))}; {self.fix}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """All places of one kind of damage in one column."""

    kind: Kind
    origin: Origin
    column: str
    values: Sequence[str]
    lines: Longs
    ends: Longs

    def problems(self, most: int) -> Iterator[Problem]:
        """The first `most` places, spelled out."""
        kind = self.kind
        for line, value in zip(self.lines[:most].tolist(), self.values, strict=False):
            where = (self.origin.place, line, self.origin.at(line))
            yield Problem(kind.name, kind.severity, *where, self.column, value, kind.message, kind.fix)


@dataclass(slots=True)
class Ledger:
    """Collects what is found while reading; `broken` once a whole file or column cannot be used."""

    reports: list[Report] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: bool = False

    def note(self, sentence: str) -> None:
        """Remember a decision that was taken while reading."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def file(
        self, kind: Kind, origin: Origin, column: str, value: str = "", *, line: int = WHOLE, fix: str = ""
    ) -> None:
        """Report damage to a whole file or column; an error of this kind cannot be quarantined."""
        kind = replace(kind, fix=fix or kind.fix)
        self.broken |= kind.severity == "error"
        self.reports.append(Report(kind, origin, column, [value], longs([line]), longs([line])))

    def rows(self, kind: Kind, table: Table, rows: Longs, column: str, values: Sequence[str]) -> None:
        """Report rows of a table, with the value found in each."""
        self.lines(kind, table.origin, *table.where(rows), column, values)

    def lines(self, kind: Kind, origin: Origin, lines: Longs, ends: Longs, column: str, values: Sequence[str]) -> None:
        """Report records by the lines that they start on and end before."""
        if len(lines):
            self.reports.append(Report(kind, origin, column, values, lines, ends))

    def errors(self) -> list[Report]:
        """What makes rows unusable, in the order of files and lines."""
        return [report for report in self.reports if report.kind.severity == "error"]

    def counts(self) -> dict[str, int]:
        """How many places each kind has."""
        total: Counter[str] = Counter()
        for report in self.reports:
            total[report.kind.name] += len(report.lines)
        return dict(total)

    def problems(self, most: int = SHOWN) -> list[Problem]:
        """At most `most` places of each report, errors first, by file and line."""
        found = [problem for report in self.reports for problem in report.problems(most)]
        return sorted(found, key=lambda one: (one.severity != "error", one.file, one.line))

    def sentences(self) -> tuple[str, ...]:
        """The notes, and for every kind of warning how often and where it occurred first."""
        warnings = [report for report in self.reports if report.kind.severity == "warning"]
        firsts = [next(report.problems(1)) for report in warnings]
        told = [
            f"{one} ({len(report.lines)} in all)" if len(report.lines) > 1 else str(one)
            for one, report in zip(firsts, warnings, strict=True)
        ]
        return (*self.notes, *told)

    def refuse(self) -> None:
        """Raise a DataError with the first errors and the counts, if there are any."""
        errors = [problem for problem in self.problems() if problem.severity == "error"]
        if not errors:
            return
        total = sum(len(report.lines) for report in self.errors())
        if total == 1:
            raise DataError(str(errors[0]))
        lines = [f"{total} problems", *(f"  {problem}" for problem in errors[:SHOWN])]
        if total > SHOWN:
            kinds = {report.kind.name for report in self.errors()}
            lines.append("all: " + ", ".join(f"{n} {name}" for name, n in self.counts().items() if name in kinds))
        if not self.broken:
            lines.append('mend them, or read the good rows only with bad_rows="quarantine"')
        raise DataError("\n".join(lines))


@dataclass(frozen=True, slots=True, eq=False)
class Faults:
    """Bad records of one source, met one by one and reported together."""

    origin: Origin
    found: dict[tuple[Kind, str], list[tuple[int, int, str]]] = field(default_factory=dict)

    def add(self, kind: Kind, column: str, line: int, end: int, value: str) -> None:
        """One record that starts on `line` and ends before `end`."""
        self.found.setdefault((kind, column), []).append((line, end, value))

    def report(self, ledger: Ledger) -> None:
        """Pass all of them on."""
        for (kind, column), places in self.found.items():
            lines, ends, values = zip(*places, strict=True)
            ledger.lines(kind, self.origin, longs(lines), longs(ends), column, values)


def write_quarantine(ledger: Ledger, path: Path) -> int:
    """Write every bad row once, with its original text and why it is bad; returns how many there were.

    One JSON object a line, or CSV or TSV where `path` says so. An older file is replaced.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for report in ledger.errors():
        records = report.origin.records(report.lines, report.ends)
        columns = (report.lines.tolist(), report.values, records)
        for line, value, record in zip(*columns, strict=True):
            reason = f"{report.kind.message}; {report.kind.fix}"
            entry = {"file": report.origin.place, "line": line, "column": report.column, "value": value}
            known = found.setdefault((report.origin.place, line), {**entry, "reason": reason, "record": record})
            if known["column"] != report.column:
                known["reason"] += f" | {report.column} {reason}"
    rows = sorted(found.values(), key=lambda row: (row["file"], row["line"]))
    try:
        with path.open("w", encoding="utf8", newline="") as file:
            if path.suffix in (".csv", ".tsv"):
                writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); choose another quarantine file") from None
    return len(rows)
