"""Reports of experiments that lie in the folder `reports` beside the service's database."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.responses import Response

from palate.errors import UnknownIdError
from palate.serve.console.visit import Page, Visit

FOLDER = "reports"
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
MOST_MB = 20  # of a file beside a report that is read for its numbers


@dataclass(frozen=True, slots=True)
class Measured:
    """A recipe's mean of the metric that decides, with its interval."""

    recipe: str
    low: float
    mean: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Told:
    """A report, and what the JSON beside it tells; nothing of that where there is none, or another format."""

    name: str
    changed: float
    metric: str = ""
    recipes: Sequence[Measured] = ()
    conclusions: Sequence[str] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """What a drawing of the intervals spans, with a little room."""
        low, high = (
            min((one.low for one in self.recipes), default=0.0),
            max((one.high for one in self.recipes), default=1.0),
        )
        room = (high - low) * 0.05
        return low - room, high + room


def experiments(visit: Visit) -> Response:
    """All reports, the newest first."""
    found = sorted((_told(path) for path in _files(visit)), key=lambda one: -one.changed)
    return visit.page("experiments.html", reports=found, folder=str(visit.service.folder / FOLDER))


def report(visit: Visit) -> Response:
    """One report as it was written, in a sandbox: nothing in it runs or asks for anything."""
    wanted = visit.asked("name")
    path = next((one for one in _files(visit) if one.name == wanted), None)
    if path is None:
        raise UnknownIdError(f'report "{wanted}" is not in {visit.service.folder / FOLDER}')
    headers = {"Content-Security-Policy": SANDBOX}
    return Response(path.read_bytes(), headers=headers, media_type="text/html; charset=utf-8")


def _files(visit: Visit) -> list[Path]:
    return [one for one in (visit.service.folder / FOLDER).glob("*.html") if one.is_file() and not one.is_symlink()]


def _told(path: Path) -> Told:
    beside = path.with_suffix(".json")
    plain = Told(path.name, path.stat().st_mtime)
    if not beside.is_file() or beside.stat().st_size > MOST_MB * 2**20:
        return plain
    try:
        read = json.loads(beside.read_text(encoding="utf8"))
        metric = str(read["metric"])
        recipes = sorted((_measured(one, metric) for one in read["recipes"]), key=lambda one: -one.mean)
        return Told(plain.name, plain.changed, metric, recipes, tuple(map(str, read["conclusions"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return plain


def _measured(recipe: dict[str, Any], metric: str) -> Measured:
    found = recipe["test"][metric]
    return Measured(
        str(recipe["recipe"]), float(found["low"]), float(found["mean"]), float(found["high"]), int(found["n"])
    )


PAGES = (Page("/experiments", experiments, "viewer"), Page("/experiments/report", report, "viewer"))
