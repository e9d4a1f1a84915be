"""Options that several commands share, and how answers are printed."""

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.errors import ConfigError
from palate.runtime import TRACKERS, Runtime
from palate.train.track import require

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

Diversify = Annotated[
    str | None,
    typer.Option(
        "--diversify",
        help="Build lists for variety too: mmr=0.3, calibrate=0.5 or popularity_damping=0.1, several by comma, with "
        "attribute=COLUMN and alike=text or attribute.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Time for fitting, about, such as 90s, 10m or 1h: parts, options and training are cut to it.",
    ),
]
Newcomers = Annotated[
    int,
    typer.Option(
        "--newcomers",
        help="Of so many places of a list, at least one is for items that nobody has liked yet; 0 keeps none.",
    ),
]
Track = Annotated[
    str,
    typer.Option(
        "--track",
        help=f"What shows the numbers of training, one of: {', '.join(TRACKERS)}. Files lie in OUT.curves; nothing "
        "leaves the machine unless WANDB_MODE=online or MLFLOW_TRACKING_URI say so.",
    ),
]
SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds_of(text: str | None, option: str = "budget") -> float:
    """The seconds in "90s", "10m" or "1h"; infinite if None. Raises ConfigError."""
    if text is None:
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not found or not float(found[1]):
        raise ConfigError(f'{option}: "{text}" is not a time; write for example 90s, 10m or 1h')
    return float(found[1]) * SECONDS[found[2]]


def named(text: str | None, option: str) -> dict[str, Any]:
    """The settings in "name=value,name=value"; what looks like a number is one. Raises ConfigError."""
    found: dict[str, Any] = {}
    for part in (text or "").split(",") if text else ():
        name, equals, value = (one.strip() for one in part.partition("="))
        if not (name and equals and value):
            raise ConfigError(f'{option}: "{part.strip()}" is not NAME=VALUE; write for example mmr=0.3,calibrate=0.5')
        if name in found:
            raise ConfigError(f"{option}: {name} is given twice; give it once")
        found[name] = _plain(value)
    return found


def _plain(value: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def watched(seed: int) -> Runtime:
    """The runtime of a command: progress is shown when a person watches."""
    return Runtime(seed=seed, quiet=False)


def tracking(seed: int, out: Path, track: str, work: Path | None = None) -> Runtime:
    """The runtime of a command that trains and writes to `out`: curves lie beside it.

    Raises ConfigError for an unknown tracker, MissingExtraError for one that is not installed.
    """
    runtime = Runtime(seed=seed, quiet=False, work=work, track=track, curves=out.with_name(f"{out.name}.curves"))
    require(track)
    return runtime


def show_json(value: Any) -> None:
    """Print `value` as JSON, texts in their own script."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
