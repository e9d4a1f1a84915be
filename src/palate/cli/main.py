"""The command `palate`: a table of commands, each in a file of its own that is imported only when it runs."""

import importlib
import importlib.metadata
import sys
import warnings
from typing import Any

import typer
from typer.core import TyperGroup

from palate.errors import ConfigError, DataError, LeakError, PalateError, UnknownIdError, VersionError

COMMANDS = {
    "demo": "From nothing to a report: fetch a public data set, train, compare, recommend.",
    "check": "Say what is wrong with a folder of data: file, line, column and fix.",
    "train": "Train a recipe on a folder of data and save the model.",
    "tune": "Tune a language model on the likes in a folder of data.",
    "evaluate": "Compare recipes on a folder of data, or judge a saved model's recipe.",
    "ab": "Report on a test with real users: arms compared, or interleaved rankers.",
    "compare": "Run the comparison that a TOML file describes and write its report.",
    "recommend": "Lists from a saved model: for users, a text or a history.",
    "serve": "Serve a saved model over HTTP: lists, events, items, a console.",
    "load-test": "Ask a running service for lists at a steady rate: latencies, goodput, refusals.",
    "profile": "Write what the data say of people (likes, dislikes, themes) or items (tags, aspects), a line each.",
    "export": "Write a text encoder or a cross-encoder for ONNX Runtime, in fp32 or int8.",
    "versions": "Versions of a served model: publish, judge, compare, try on some people, promote, go back.",
    "keys": "API keys of a service: make, list, revoke.",
    "backup": "Copy the database of a service, which may run meanwhile, to one file.",
    "models": "Known language models: list, fetch, licence, location.",
    "data": "Known data sets: list, fetch, licence, location.",
}


class Commands(TyperGroup):
    """The group of all commands, which knows their help lines without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"palate.cli.{cmd_name.replace('-', '')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(cls=Commands, rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


@app.callback(invoke_without_command=True)
def palate(
    ctx: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and stop."),
) -> None:
    """A recommender that reads: from files to honest, explained lists.

    Every command takes --help. Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input.
    """
    if version:
        typer.echo(importlib.metadata.version("palate"))
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def main() -> None:
    """Run the command line; an expected error is one line on stderr and an exit code."""
    warnings.formatwarning = lambda message, *_: f"note: {message}\n"
    try:
        app()
    except PalateError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, DataError | ConfigError | UnknownIdError | LeakError | VersionError) else 1)
    except BrokenPipeError:  # the reader of our output stopped reading, as `head` does
        sys.stderr.close()
        sys.exit(0)
