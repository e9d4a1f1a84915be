"""`palate evaluate`: data or a saved model in, a comparison on held-out events out."""

from pathlib import Path
from typing import Annotated

import typer

from palate import store
from palate.cli.options import Diversify, Encoder, Json, Liked, Seed, named, watched
from palate.cli.outcome import keep, show
from palate.data.read import read
from palate.evaluation.evaluate import evaluate as run
from palate.model import load

app = typer.Typer()


@app.command(epilog="Example: palate evaluate shop/ --recipes popular,ease,balanced --report report.html")
def evaluate(
    target: Annotated[Path, typer.Argument(metavar="DATA|MODEL", help="A folder of data, or of a saved model.")],
    recipes: Annotated[
        str, typer.Option("--recipes", help="Names of recipes, by comma.")
    ] = "zero-shot,classic,balanced",
    split: Annotated[
        str, typer.Option("--split", help="time, leave-last-out, random, random-per-user or cold-items.")
    ] = "time",
    k: Annotated[int, typer.Option("-k", help="Length of the lists that are judged.", min=1)] = 10,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write an HTML report here, and JSON beside it.")
    ] = None,
    encoder: Encoder = "auto",
    diversify: Diversify = None,
    trade: Annotated[
        str | None,
        typer.Option(
            "--trade",
            help="Draw what accuracy a strength costs on validation: mmr, calibrate or popularity_damping.",
        ),
    ] = None,
    liked: Liked = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Compare recipes on a folder of data, or judge a saved model's recipe.

    A saved model has seen all its data, so its recipe is trained again on the older part and asked for the rest.
    """
    wanted = named(diversify, "diversify")
    if store.is_saved(target):
        model = load(target)
        wanted = wanted or model.about.get("diversify", {})
        data, names = model.data, [str(model.about["recipe"])]
    else:
        data, names = read(target, liked=liked), [name.strip() for name in recipes.split(",")]
    experiment = run(
        data, names, split=split, k=k, encoder=encoder, diversify=wanted, trade=trade, runtime=watched(seed)
    )
    show(experiment, as_json=as_json)
    if report:
        typer.echo(f"Report: {keep(experiment, report)[0]}", err=as_json)
