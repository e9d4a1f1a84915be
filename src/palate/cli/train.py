"""`palate train`: data in, a saved model out."""

import time
from pathlib import Path
from typing import Annotated

import typer

from palate import build
from palate.cli.options import (
    Budget,
    Diversify,
    Encoder,
    Events,
    Items,
    Json,
    Liked,
    Newcomers,
    Quarantine,
    Seed,
    Track,
    Users,
    named,
    seconds_of,
    show_json,
    tracking,
)
from palate.data.read import read
from palate.errors import DataError
from palate.evaluation.decisions import sentences, trials
from palate.model import fit
from palate.text.attributes import with_attributes
from palate.text.attributes_file import Attributes, read_attributes
from palate.train.lesson import BlendConfig

app = typer.Typer()


@app.command(epilog="Example: palate train shop/ --budget 10m --out model/")
def train(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to save the model in.")],
    recipe: Annotated[str, typer.Option("--recipe", help=f"One of: {', '.join(build.RECIPES)}.")] = "balanced",
    encoder: Encoder = "auto",
    diversify: Diversify = None,
    budget: Budget = None,
    newcomers: Newcomers = BlendConfig.newcomers,
    track: Track = "none",
    llm: Annotated[
        str | None,
        typer.Option("--llm", help="A language model from `palate tune llm`, which orders the first places last."),
    ] = None,
    ranker: Annotated[
        str | None,
        typer.Option("--ranker", help="A ranker from `palate tune ranker`, which orders the first places last."),
    ] = None,
    attributes: Annotated[
        Path | None,
        typer.Option(
            "--attributes",
            help="A file from `palate profile --of items`: tags and aspects are read as further tags of the items.",
        ),
    ] = None,
    seed: Seed = 0,
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    quarantine: Quarantine = None,
    as_json: Json = False,
) -> None:
    """Train a recipe on a folder of data and save the model."""
    wanted, allowed = named(diversify, "diversify"), seconds_of(budget)
    runtime = tracking(seed, out, track)
    data = read(
        source,
        events=events,
        items=items,
        users=users,
        liked=liked,
        bad_rows="quarantine" if quarantine else "refuse",
        quarantine=quarantine,
    )
    if attributes:
        data = with_attributes(data, _attributes(attributes, source))
    start = time.perf_counter()
    model = fit(
        data,
        recipe,
        encoder=encoder,
        diversify=wanted,
        budget=allowed,
        newcomers=newcomers,
        llm=llm,
        ranker=ranker,
        runtime=runtime,
    )
    model.save(out)
    seconds = time.perf_counter() - start
    if as_json:
        show_json({**model.about, "seconds": round(seconds, 2), "model": str(out)})
        return
    decided = model.about["decisions"]
    for note in (*data.notes, *trials(decided), *sentences(decided)):
        typer.echo(note)
    typer.echo(
        f"Trained {recipe} on {len(data.events):,} events of {data.n_users:,} users and {data.n_items:,} items "
        f"in {seconds:.1f} s; saved in {out}. Next: palate recommend --model {out} --user ID"
    )


def _attributes(path: Path, source: str) -> tuple[Attributes, ...]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; make one with `palate profile {source} --of items --out {path}`")
    return read_attributes(path)
