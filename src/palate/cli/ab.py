"""`palate ab`: logs of a test with real users in, who is ahead out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, named
from palate.config import configured
from palate.data.sources import read_table
from palate.data.values import iso_seconds
from palate.errors import ConfigError
from palate.evaluation.ab.page import HEAD, arm_head, arm_rows, difference_rows, write
from palate.evaluation.ab.report import AbConfig, ab_report
from palate.evaluation.ab.result import AbReport

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """Tests with real users: arms compared, or interleaved rankers."""


@app.command(epilog="Example: palate ab report exposures.csv events.csv --shares new=0.1,old=0.9 --out report.html")
def report(
    exposures: Annotated[
        Path,
        typer.Argument(
            metavar="EXPOSURES",
            help="The file of lists shown: user_id, arm, time, items or item_id; or the state folder of a service, "
            "which has both.",
        ),
    ],
    events: Annotated[
        Path | None,
        typer.Argument(metavar="EVENTS", help="The file of events: user_id, item_id, time; kind, value, event_id."),
    ] = None,
    database: Annotated[
        str, typer.Option("--database", help="The service's database, where it is not in the state folder.")
    ] = "",
    shares: Annotated[
        str | None,
        typer.Option("--shares", help="Planned shares of users, as arm=share,arm=share; equal if not given."),
    ] = None,
    control: Annotated[
        str, typer.Option("--control", help='The arm that others are compared with: "control", or the first by name.')
    ] = "",
    kinds: Annotated[str, typer.Option("--kinds", help="Kinds of events that count, by comma; all if not given.")] = "",
    window: Annotated[
        float, typer.Option("--window", help="Hours after a list in which an event counts for it.", min=0)
    ] = 24.0,
    follow: Annotated[
        float, typer.Option("--follow", help="Hours after a user's first list in which their lists count.", min=0)
    ] = 24.0,
    planned: Annotated[
        int, typer.Option("--planned", help="Settled users at which intervals are tightest; choose before.", min=1)
    ] = 1000,
    until: Annotated[
        str | None, typer.Option("--until", help="Read the logs up to this time; seconds or ISO 8601, in UTC.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write an HTML report here, and JSON beside it.")] = None,
    as_json: Json = False,
) -> None:
    """Compare the arms of a test, with intervals that hold however often one looks."""
    given = {"window_hours": window, "follow_hours": follow, "kinds": kinds, "control": control, "planned": planned}
    shown_lists, done = _read(exposures, events, database)
    found = ab_report(
        shown_lists,
        done,
        configured(AbConfig, given, "ab"),
        shares=named(shares, "shares") or None,
        now=_moment(until),
    )
    typer.echo(found.to_json() if as_json else shown(found))
    if out:
        typer.echo(f"Report: {write(found, out)[0]}", err=as_json)


def _read(exposures: Path, events: Path | None, database: str) -> tuple[Any, Any]:
    if events is not None:
        return read_table(exposures), read_table(events)
    if not exposures.is_dir():
        raise ConfigError(
            f"EVENTS: missing; give a file of events beside {exposures}, or a service's state folder alone"
        )
    from palate.serve.exposed import tables  # needs the packages of a service

    return tables(exposures, database)


def shown(found: AbReport) -> str:
    """The report for people: warnings, arms, differences, conclusions."""
    parts = [f"warning: {one}" for one in found.warnings]
    parts += [f"{name}: {count:,}" for name, count in found.counts.items() if count]
    parts += ["", *_aligned([arm_head(found), *arm_rows(found)])]
    parts += ["", *_aligned([list(HEAD), *difference_rows(found)])] if found.differences else []
    return "\n".join([*parts, "", *(f"* {one}" for one in found.conclusions)])


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _moment(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        found = iso_seconds(text)
    if found is None:
        raise ConfigError(f'until: "{text}" is not a time; write seconds or ISO 8601, such as 2026-03-01T12:00')
    return found
