"""What `palate models` and `palate data` share: list and fetch assets of one kind."""

from typing import Annotated, Literal

import typer

from palate import assets
from palate.cli.options import Json, show_json


def shelf(kind: Literal["model", "data"]) -> typer.Typer:
    """The commands `list` and `fetch` for the assets of one kind."""
    app = typer.Typer(no_args_is_help=True)

    @app.callback()
    def about() -> None:
        """Assets known by name: where from, licence, checksum, location."""

    @app.command("list")
    def listing(as_json: Json = False) -> None:
        """Names, licences, sizes, and where they lie if fetched."""
        rows = [row for row in assets.listing() if row["kind"] == kind]
        if as_json:
            show_json(rows)
            return
        for row in rows:
            typer.echo(f"{row['name']}  {row['size']}  {row['licence']}")
            typer.echo(f"    {row['source']}; {row['location'] or 'not fetched'}")

    @app.command()
    def fetch(name: Annotated[str, typer.Argument(help="A name from the list.")]) -> None:
        """Fetch an asset by name, verify it, and say where it lies and under which licence."""
        typer.echo(assets.fetch(name))

    return app
