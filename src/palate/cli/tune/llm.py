"""`palate tune llm`: data in, a language model out that puts the first places of lists in order."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Budget, Events, Items, Json, Liked, Seed, Track, Users, seconds_of, tracking
from palate.cli.tune.shared import change, settled, telling, told
from palate.data.read import read
from palate.errors import DataError, MissingExtraError
from palate.generate.local import DEFAULT_MODEL
from palate.retrieve.neighbours import ItemKNN
from palate.text.profiles_file import read_profiles
from palate.tuning.methods import METHODS

EXAMPLE = "Example: palate tune llm shop/ --out tuned/ --how listwise --set rank=8,lists=300 --budget 2h"

_METHODS = ", ".join(name for name, method in METHODS.items() if "decoder" in method.kinds)


def llm(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to save the tuned language model in.")],
    method: Annotated[str, typer.Option("--method", help=f"What learns: {_METHODS}.")] = "lora",
    how: Annotated[
        str,
        typer.Option("--how", help="pointwise: yes or no for each candidate; listwise: a letter among several."),
    ] = "pointwise",
    model: Annotated[
        str, typer.Option("--model", help="What is tuned: a known model, a local folder or a hub id.")
    ] = DEFAULT_MODEL,
    profiles: Annotated[
        Path | None,
        typer.Option("--profiles", help="A file from `palate profile`, which may not tell of what is held out."),
    ] = None,
    settings: Annotated[
        str | None, typer.Option("--set", help="Further options of LLMTrainerConfig, as name=value,name=value.")
    ] = None,
    budget: Budget = None,
    track: Track = "tensorboard",
    seed: Seed = 0,
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    as_json: Json = False,
) -> None:
    """Tune a language model to say what people like next, among candidates of item-kNN.

    A run that was killed goes on where it was when the same command is given again.
    """
    try:
        from palate.train.llm import LLMTrainer, LLMTrainerConfig, tune  # torch takes seconds to load
    except ImportError as error:
        raise MissingExtraError(f'tune: no package {error.name}; pip install "palate[llm,train]"') from None
    values = {"method": method, "how": how, "model": model, "seconds": seconds_of(budget)}
    words = {"method": "--method", "how": "--how", "model": "--model", "seconds": "--budget"}
    config = settled(LLMTrainerConfig, values, words, settings)
    if profiles and not profiles.is_file():
        raise DataError(f"{profiles}: no such file; make one with `palate profile {source} --out {profiles}`")
    known = {one.user_id: one.text for one in read_profiles(profiles)} if profiles else {}
    data = read(source, events=events, items=items, users=users, liked=liked)
    work = out.with_name(f"{out.name}.work")
    trainer = LLMTrainer(config, profiles=known, told=telling("lists", as_json))
    record = tune(trainer, data, ItemKNN(), out, tracking(seed, out, track, work))
    shutil.rmtree(work, ignore_errors=True)
    told(record, sentences(record, source, out), out, as_json)


def sentences(record: dict[str, Any], source: str, out: Path) -> list[str]:
    """What was learned, whether it helped, what it took, and what comes next."""
    found, options, lists = record["judged"], record["options"], record["lists"]
    lines = [
        change(found, "NDCG@10", "lists that it did not learn from", "leave it out"),
        f"By the model alone: untuned {record['alone']['before']:.4f}, tuned {record['alone']['after']:.4f}; it is "
        f"heard with weight {record['heard']:.2f}, the given order with {record['trust']:.2f}.",
        f"{options['method']}: {record['trainable']:,} of {record['weights']:,} numbers learned from "
        f"{lists['taught']:,} lists in {record['seconds']:.0f} s; {record['peak_mb']:,} MB of memory at most.",
    ]
    bias = record["position_bias"]
    if bias["before"] and bias["after"]:
        kept = [f"{bias[when]['kept']:.0%}" for when in ("before", "after")]
        lines.append(f"Reversing a list kept the chosen item in {kept[0]} of lists before, in {kept[1]} after.")
    if record["used"]:
        lines.append(f"Saved in {out}. Next: palate train {source} --llm {out} --out model/")
    else:
        lines.append(f"Not better, so there is no ranker to use; the tuned part and the record are in {out}.")
    return lines
