"""`palate serve`: a saved model to a running service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from palate.errors import MissingExtraError

app = typer.Typer()


@app.command(epilog="Example: palate serve model/ --port 8080")
def serve(
    model: Annotated[Path, typer.Argument(help="The folder of a saved model.")],
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen on; 127.0.0.1 if not given.")
    ] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port to listen on; 8080 if not given.")] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", help="The folder of events, versions and keys; MODEL.service if not given."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with a table [serve]; see docs/serving.md.")
    ] = None,
) -> None:
    """Serve a model over HTTP: lists, events, items, a console. No other server is needed.

    The first start makes a key for the role admin and writes it to STATE/admin.key.
    """
    try:
        from palate.serve.run import run
    except ImportError as error:
        raise MissingExtraError(f'serve: no package {error.name}; pip install "palate[serve]"') from None
    given: dict[str, Any] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    run(model, state or model.with_name(f"{model.name}.service"), config, given)
