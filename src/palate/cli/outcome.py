"""How commands show an experiment: a table for people, JSON for machines, a report for both."""

from pathlib import Path

import typer

from palate.evaluation.report import write
from palate.evaluation.result import Experiment


def show(experiment: Experiment, *, as_json: bool = False) -> None:
    """Print an experiment: everything as JSON, or the table and the conclusions."""
    if as_json:
        typer.echo(experiment.to_json())
        return
    for note in experiment.notes:
        typer.echo(note)
    for warning in (*experiment.warnings, *(str(finding) for finding in experiment.findings)):
        typer.echo(f"warning: {warning}")
    typer.echo("\n" + table(experiment) + "\n")
    for sentence in experiment.conclusions:
        typer.echo(f"* {sentence}")


def table(experiment: Experiment) -> str:
    """The main figures with their 95 % intervals, a line for each recipe, the best first."""
    main, other = experiment.metric, f"recall@{experiment.k}"
    lines = [
        f"{'recipe':<14}{main:>9}  {'95 % interval':<18}{other:>10}{'coverage':>10}{'fit s':>8}{'ask s':>8}{'MB':>7}"
    ]
    for one in sorted(experiment.recipes, key=lambda one: -one.test[main].mean):
        value, recall = one.test[main], one.test[other]
        peak = max(one.fit.peak_mb, one.recommend.peak_mb)
        lines.append(
            f"{one.recipe:<14}{value.mean:>9.4f}  [{value.low:.4f}, {value.high:.4f}]  {recall.mean:>10.4f}"
            f"{one.catalogue['coverage']:>10.3f}{one.fit.seconds:>8.1f}{one.recommend.seconds:>8.1f}{peak:>7.0f}"
        )
    return "\n".join(lines)


def keep(experiment: Experiment, report: Path) -> tuple[Path, Path]:
    """Write the report as HTML and the same as JSON beside it; the two paths."""
    page = report.with_suffix(".html")
    write(experiment, page)
    return page, page.with_suffix(".json")
