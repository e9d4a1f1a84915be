"""What the commands of `palate tune` share: a search of options under a budget, told trial by trial and drawn."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import seconds_of
from palate.errors import MissingExtraError
from palate.runtime import Runtime

Trials = Annotated[
    int | None,
    typer.Option("--trials", help="Search the options that are not given: at most so many trials.", min=1),
]
SearchTime = Annotated[
    str | None,
    typer.Option("--search", help="Search the options that are not given: for about so long, such as 30m or 2h."),
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search that was asked for."""

    trials: float
    seconds: float

    def run(
        self, tuner: Any, data: Any, out: Path, runtime: Runtime, *, fixed: Collection[str], quiet: bool
    ) -> dict[str, Any]:
        """Search, tell each trial and write the drawing; the record of the best one."""
        try:
            from palate.evaluation.plots import trace_plot
            from palate.train.study import SearchBudget, search
        except ImportError as error:
            raise MissingExtraError(f'search: no package {error.name}; pip install "palate[search]"') from None
        told = (lambda _: None) if quiet else (lambda row: typer.echo(f"  {sentence(row)}"))
        record = search(tuner, data, out, runtime, SearchBudget(self.trials, self.seconds), fixed=fixed, told=told)
        rows = record["search"]["trials"]
        (out / "search.svg").write_text(trace_plot(rows, "NDCG@10 of the likes that choose"), encoding="utf8")
        if not quiet:
            typer.echo(f"Of {len(rows)} trials the best is trial {record['search']['best']}; trace: {out}/search.svg.")
        return record


def search_wanted(trials: int | None, limit: str | None) -> Wanted | None:
    """The search that --trials and --search ask for; None without them."""
    if trials is None and limit is None:
        return None
    return Wanted(trials or math.inf, seconds_of(limit, "search"))


def sentence(row: dict[str, Any]) -> str:
    """A trial in words.

    >>> sentence({"trial": 2, "pruned": True, "options": {"rank": 8, "pace": 0.25}, "quality": 0.5, "epochs": 1,
    ...           "seconds": 3.2})
    'trial 2: NDCG@10 0.5000 on the likes that choose, ended after epoch 1, 3 s; rank 8, pace 0.25'
    """
    options = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in row["options"].items()}
    said = ", ".join(f"{name} {value}" for name, value in options.items())
    ended = f", ended after epoch {row['epochs']}" if row["pruned"] else ""
    found = f"NDCG@10 {row['quality']:.4f} on the likes that choose"
    return f"trial {row['trial']}: {found}{ended}, {row['seconds']:.0f} s; {said}"
