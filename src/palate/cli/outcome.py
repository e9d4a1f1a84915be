"""How commands show an experiment: a table for people, JSON for machines, a report for both."""

from pathlib import Path

import typer

from palate.evaluation.report import write
from palate.evaluation.result import Experiment, Trade


def show(experiment: Experiment, *, as_json: bool = False) -> None:
    """Print an experiment: everything as JSON, or the table and the conclusions."""
    if as_json:
        typer.echo(experiment.to_json())
        return
    for note in experiment.notes:
        typer.echo(note)
    for warning in (*experiment.warnings, *(str(finding) for finding in experiment.findings)):
        typer.echo(f"warning: {warning}")
    for lines in (table(experiment), *(trade_table(trade, experiment.metric) for trade in experiment.trades)):
        typer.echo("\n" + lines)
    typer.echo()
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


def trade_table(trade: Trade, metric: str) -> str:
    """What a strength costs and gives on validation, a line for each step."""
    names = list(trade.points[0].gains)
    head = f"{trade.option:<20}{metric:>9}  {'95 % interval':<18}{'change':>8}  {'95 % interval':<20}"
    lines = [f"{trade.recipe}, on validation", head + "".join(f"{name:>19}" for name in (*names, "coverage"))]
    for point in trade.points:
        value, change = point.accuracy, point.change
        gains = [point.gains[name].mean for name in names] + [point.coverage]
        lines.append(
            f"{point.strength:<20g}{value.mean:>9.4f}  [{value.low:.4f}, {value.high:.4f}]  {change.mean:>+8.4f}"
            f"  [{change.low:+.4f}, {change.high:+.4f}]  " + "".join(f"{gain:>19.3f}" for gain in gains)
        )
    return "\n".join(lines)


def keep(experiment: Experiment, report: Path) -> tuple[Path, Path]:
    """Write the report as HTML and the same as JSON beside it; the two paths."""
    page = report.with_suffix(".html")
    write(experiment, page)
    return page, page.with_suffix(".json")
