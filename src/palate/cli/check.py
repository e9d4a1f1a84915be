"""`palate check`: data in, everything that is wrong with it out."""

from typing import Annotated

import typer

from palate.cli.options import Events, Items, Json, Liked, Users, show_json
from palate.data.check import check as examine

app = typer.Typer()


@app.command(epilog="Example: palate check shop/")
def check(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    as_json: Json = False,
) -> None:
    """Say what is wrong with a folder of data: file, line, column and fix."""
    findings = examine(source, events=events, items=items, users=users, liked=liked)
    if as_json:
        show_json(findings.to_json())
    else:
        for line in findings.lines():
            typer.echo(line)
    raise typer.Exit(0 if findings.ok else 2)
