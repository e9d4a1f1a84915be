"""Options that several commands share, and how answers are printed."""

import json
from typing import Annotated, Any

import typer

from palate.runtime import Runtime

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Seed = Annotated[int, typer.Option("--seed", help="The one seed of the run.", min=0)]
Encoder = Annotated[
    str,
    typer.Option("--encoder", help="auto, hashing, a known model, a local folder or a hub id (see `palate models`)."),
]
Events = Annotated[str | None, typer.Option("--events", help="The file of events, if not found in DATA by its name.")]
Items = Annotated[str | None, typer.Option("--items", help="The file of items, if not found in DATA by its name.")]
Users = Annotated[str | None, typer.Option("--users", help="The file of users, if not found in DATA by its name.")]
Liked = Annotated[
    float | None,
    typer.Option("--liked", help="A value from here on counts as liked; chosen from the data if not given."),
]
Quarantine = Annotated[
    str | None,
    typer.Option("--quarantine", help="Write bad rows to this file and use the rest; without it they stop the work."),
]


def watched(seed: int) -> Runtime:
    """The runtime of a command: progress is shown when a person watches."""
    return Runtime(seed=seed, quiet=False)


def show_json(value: Any) -> None:
    """Print `value` as JSON, texts in their own script."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
