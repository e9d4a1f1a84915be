"""`palate demo`: from nothing to a model, a comparison, lists with reasons and a report."""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from palate import assets
from palate.cli.options import Encoder, Json, Seed, show_json, watched
from palate.cli.outcome import keep, show
from palate.data.dataset import Dataset
from palate.data.frames import rows_of
from palate.data.read import read
from palate.evaluation.evaluate import evaluate
from palate.model import Model, fit

app = typer.Typer()

RECIPES = ("popular", "zero-shot", "classic", "balanced")
WISH = "quiet science fiction for a rainy evening"


@app.command(epilog="Example: palate demo --out palate-demo")
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where the model and the report go.")] = Path("palate-demo"),
    encoder: Encoder = "auto",
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """From nothing to a report: fetch a public data set, train, compare, recommend."""
    start = time.perf_counter()
    data = read(assets.fetch("movielens-100k"))
    runtime = watched(seed)
    typer.echo(f"Comparing {', '.join(RECIPES)} ...", err=True)
    experiment = evaluate(data, RECIPES, encoder=encoder, runtime=runtime)
    page, numbers = keep(experiment, out / "report.html")
    model = fit(data, "balanced", encoder=encoder, runtime=runtime)
    model.save(out / "model")
    people = [data.users.ids.ids[user] for user in _two_people(data)]
    lists = {name: rows_of(model.recommend([name], k=5, explain=True)) for name in people}
    wished = rows_of(model.recommend(text=WISH, k=5, explain=True))
    seconds = time.perf_counter() - start
    if as_json:
        show_json({"report": str(page), "numbers": str(numbers), "lists": lists, "wish": wished, "seconds": seconds})
        return
    show(experiment)
    for name in people:
        typer.echo(f"\nUser {name} liked {_liked(data, name)}. Shown next:")
        _print(model, lists[name])
    typer.echo(f"\nA stranger asks for “{WISH}”:")
    _print(model, wished)
    typer.echo(f"\nDone in {seconds:.0f} s. Report: {page}. Model: {out / 'model'}; ask it more:")
    typer.echo(f"    palate recommend --model {out / 'model'} --user {people[0]} --explain")


def _two_people(data: Dataset) -> list[int]:
    """Two people with a history of middling length, so that their lists can be judged by eye."""
    lengths = data.histories().lengths
    return [int(user) for user in np.argsort(np.abs(lengths - 20), kind="stable")[:2]]


def _liked(data: Dataset, name: str) -> str:
    """The newest likes of a person."""
    history = data.histories()[data.users.ids.row(name, "user")][-3:]
    return ", ".join(f"“{data.items.title[item]}”" for item in history)


def _print(model: Model, answer: list[dict[str, Any]]) -> None:
    titles = dict(zip(model.data.items.ids.ids, model.data.items.title, strict=True))
    for row in answer:
        typer.echo(f"{row['rank']:>3}  {titles[row['item_id']]}")
        for reason in row["reasons"]:
            typer.echo(f"       {reason}")
