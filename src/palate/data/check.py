"""What is wrong with files or frames, without stopping at the first problem: the findings behind `palate check`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palate.data.problems import SHOWN, Ledger, Problem
from palate.data.read import Columns, assemble
from palate.data.sources import gather


@dataclass(frozen=True, slots=True)
class Findings:
    """problems: the first 20 places of each kind in each column, errors first; counts: all places by kind.

    ok: whether everything could be read; warnings do not count against it.
    """

    ok: bool
    n_users: int
    n_items: int
    n_events: int
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        numbers = {"n_users": self.n_users, "n_items": self.n_items, "n_events": self.n_events}
        problems = [problem.to_json() for problem in self.problems]
        return {"ok": self.ok, **numbers, "problems": problems, "counts": self.counts, "notes": list(self.notes)}

    def lines(self) -> list[str]:
        """The same as text, one finding a line."""
        found = [f"{problem.severity}: {problem}" for problem in self.problems]
        counted = [f"{count} x {kind}" for kind, count in self.counts.items()]
        usable = f"{self.n_users} users, {self.n_items} items, {self.n_events} events can be used"
        verdict = "all is well" if self.ok else "to be mended"
        return [*found, *self.notes, *counted, f"{usable}; {verdict}"]


def check(
    source: str | Path | None = None,
    *,
    events: Any = None,
    items: Any = None,
    users: Any = None,
    columns: Columns | None = None,
    liked: float | None = None,
) -> Findings:
    """Read as `read` does and tell all that is found; raises only where there is nothing to look at."""
    ledger = Ledger()
    sources = gather(source, {"events": events, "items": items, "users": users}, columns, liked, ledger)
    data = assemble(sources, ledger)
    sizes = (data.n_users, data.n_items, len(data.events)) if data else (0, 0, 0)
    return Findings(not ledger.errors(), *sizes, tuple(ledger.problems(SHOWN)), ledger.counts(), tuple(ledger.notes))
