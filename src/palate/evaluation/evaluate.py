"""The public `palate.evaluate`: a data set and names of recipes to an Experiment."""

from collections.abc import Mapping, Sequence
from typing import Any

from palate import build
from palate.data.dataset import Dataset
from palate.data.split import Split
from palate.errors import ConfigError
from palate.evaluation.experiment import experiment
from palate.evaluation.result import Experiment
from palate.evaluation.trade import Sweep
from palate.pipeline import Recommender
from palate.rank.diversify import STRENGTHS
from palate.runtime import Runtime


def evaluate(
    data: Dataset,
    recipes: Sequence[str] = ("zero-shot", "classic", "balanced"),
    *,
    split: str | Split = "time",
    k: int = 10,
    seed: int = 0,
    encoder: str = "auto",
    candidates: int | None = None,
    composed: Mapping[str, build.Recipe] | None = None,
    diversify: Mapping[str, Any] | None = None,
    trade: str | None = None,
    runtime: Runtime | None = None,
) -> Experiment:
    """Compare recipes on held-out events of a data set, with intervals, tests, slices and costs.

    recipes: names of `palate.build.RECIPES` or of `composed`, recipes of your own by name.
    split: "time" (the default, all test events later than all training events), "leave-last-out", "random",
        "random-per-user" or "cold-items"; where a log has no times, leave-last-out
        by its order, or random, stands in for "time", and the notes say so.
    candidates: rank only the first answer among this many random items, to match a published protocol.
    diversify: build every asked recipe's lists for variety too, as in `palate.fit`.
    trade: "mmr", "calibrate" or "popularity_damping": on validation, what accuracy each strength of it costs the asked
        recipes and what it gives, each recipe fitted once. The other options are those of `diversify`.
    runtime: circumstances of the run, made from `seed` if not given.

    Every recipe sees the training part alone; popularity is always in the table.
    Raises LeakError where the data would make a result look better than it is.
    """
    own = dict(composed or {})
    for name in recipes:
        if name not in own and name not in build.RECIPES:
            raise ConfigError(f'recipe "{name}": unknown; known: {", ".join({**build.RECIPES, **own})}')

    if trade is not None and trade not in STRENGTHS:
        raise ConfigError(f'trade: "{trade}": no such strength; choose from {", ".join(STRENGTHS)}')
    sweep = Sweep(trade, build.make_diversify({**(diversify or {}), trade: 1.0}, encoder)) if trade else None

    def fit(recipe: str, train: Dataset, runtime: Runtime) -> Recommender:
        wanted = diversify if recipe in recipes else None
        return build.fit(own.get(recipe, recipe), train, runtime, encoder=encoder, diversify=wanted)

    return experiment(
        data,
        recipes,
        fit=fit,
        split=split,
        k=k,
        candidates=candidates,
        sweep=sweep,
        runtime=runtime or Runtime(seed=seed),
    )
