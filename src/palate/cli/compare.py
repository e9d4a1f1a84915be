"""`palate compare`: a TOML file that describes a comparison in, its report out.

data = "shop"                       # relative to the file
recipes = ["popular", "classic", "mine"]
split = "time"                      # and k, seed, encoder, liked: as in `palate evaluate`

[recipe.mine]
parts = ["ease", "dense"]
[recipe.mine.ease]
regularisation = 100.0
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.build import Recipe
from palate.cli.options import Json, watched
from palate.cli.outcome import keep, show
from palate.config import configured, option, options
from palate.data.read import read
from palate.errors import ConfigError
from palate.evaluation.evaluate import evaluate

app = typer.Typer()


@options
class Comparison:
    data: str = option("", "The folder of data, relative to the file.")
    split: str = option("time", "time, leave-last-out, random, random-per-user or cold-items.")
    k: int = option(10, "Length of the lists that are judged.", low=1)
    seed: int = option(0, "The one seed of the run.", low=0)
    encoder: str = option("auto", "auto, hashing, a known model, a local folder or a hub id.")
    liked: float | None = option(None, "A value from here on counts as liked.")


@app.command(epilog="Example: palate compare compare.toml --out report.html")
def compare(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The description of the comparison.")],
    out: Annotated[Path, typer.Option("--out", help="Where the HTML report goes; JSON goes beside it.")],
    as_json: Json = False,
) -> None:
    """Run the comparison that a TOML file describes and write its report."""
    recipes, composed, plan = described(config)
    data = read(config.parent / plan.data, liked=plan.liked)
    runtime = watched(plan.seed)
    experiment = evaluate(
        data, recipes, split=plan.split, k=plan.k, encoder=plan.encoder, composed=composed, runtime=runtime
    )
    show(experiment, as_json=as_json)
    page, numbers = keep(experiment, out)
    typer.echo(f"Report: {page}; numbers: {numbers}", err=as_json)


def described(path: Path) -> tuple[list[str], dict[str, Recipe], Comparison]:
    """The recipes to compare, those composed in the file, and the rest of it; raises ConfigError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give the path of a TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    recipes, own = values.pop("recipes", []), values.pop("recipe", {})
    if not isinstance(recipes, list) or not recipes or not all(isinstance(name, str) for name in recipes):
        raise ConfigError(f'{path}: recipes: give a list of names, for example ["popular", "balanced"]')
    plan = configured(Comparison, values, str(path))
    if not plan.data:
        raise ConfigError(f"{path}: data: name the folder of data")
    return recipes, {name: _recipe(f"{path}: recipe.{name}", table) for name, table in own.items()}, plan


def _recipe(where: str, table: Any) -> Recipe:
    if not isinstance(table, dict) or not isinstance(table.get("parts"), list):
        raise ConfigError(f'{where}: give parts = ["ease", "dense"], and a table of options for each part if need be')
    options = {name: values for name, values in table.items() if name not in ("parts", "reader")}
    for name, values in options.items():
        if not isinstance(values, dict):
            raise ConfigError(f"{where}.{name}: {values!r} is no table of options")
    return Recipe(tuple(map(str, table["parts"])), options, reader=str(table.get("reader", "")))
