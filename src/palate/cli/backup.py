"""`palate backup`: the database of a service, which may run meanwhile, to one file."""

from pathlib import Path
from typing import Annotated

import typer

from palate.errors import MissingExtraError

app = typer.Typer()


@app.command(epilog="Example: palate backup model.service/ backups/monday.db")
def backup(
    state: Annotated[Path, typer.Argument(help="The state folder of the service.")],
    out: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
) -> None:
    """Copy events, items, people and keys as they are at one moment. To restore, stop the service and put the file in
    the place of STATE/service.db.
    """
    try:
        from palate.serve.database import copied
    except ImportError as error:
        raise MissingExtraError(f'backup: no package {error.name}; pip install "palate[serve]"') from None
    copied(state, out)
    typer.echo(f"{out}: {out.stat().st_size / 2**20:.1f} MB")
