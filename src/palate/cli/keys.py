"""`palate keys`: who may ask a service, by the database in its state folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, show_json
from palate.errors import MissingExtraError

app = typer.Typer(help="API keys of a service: make, list, revoke.")

State = Annotated[Path, typer.Argument(help="The state folder of the service; it may run meanwhile.")]
Database = Annotated[str, typer.Option("--database", help="The database's address, where the service has one.")]


@app.command(epilog="Example: palate keys make model.service/ --name shop --role recommender")
def make(
    state: State,
    name: Annotated[str, typer.Option("--name", help="Whose key it is, for lists and logs.")],
    role: Annotated[str, typer.Option("--role", help="viewer, recommender, reviewer, operator or admin.")],
    database: Database = "",
) -> None:
    """Make a key and print it: it is told this once."""
    with _engine(state, database).begin() as connection:
        _, secret = _keys().make(connection, name, role)
    typer.echo(secret)


@app.command("list", epilog="Example: palate keys list model.service/")
def every(state: State, database: Database = "", as_json: Json = False) -> None:
    """Every key, revoked ones too; no secrets."""
    found = [asdict(one) for one in _keys().Keys(_engine(state, database)).all()]
    if as_json:
        show_json(found)
        return
    for one in found:
        typer.echo(f"{one['key_id']}  {one['role']:11}  {one['name']}{'  revoked' if one['revoked'] else ''}")


@app.command(epilog="Example: palate keys revoke model.service/ 3f9a12c4be07")
def revoke(
    state: State,
    key_id: Annotated[str, typer.Argument(help="As `palate keys list` names it.")],
    database: Database = "",
) -> None:
    """Make a key worthless; a running service knows within a second."""
    with _engine(state, database).begin() as connection:
        _keys().revoke(connection, key_id)
    typer.echo(f"revoked {key_id}")


def _keys() -> Any:
    try:
        from palate.serve import keys
    except ImportError as error:
        raise MissingExtraError(f'keys: no package {error.name}; pip install "palate[serve]"') from None
    return keys


def _engine(state: Path, database: str) -> Any:
    _keys()
    from palate.serve.database import of_state

    return of_state(state, database)
