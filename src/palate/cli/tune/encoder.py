"""`palate tune encoder`: data in, a text encoder out that fits it better."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import (
    Budget,
    Events,
    Items,
    Json,
    Liked,
    Seed,
    Track,
    Users,
    named,
    seconds_of,
    tracking,
)
from palate.cli.tune.searched import SearchTime, Trials, search_wanted
from palate.cli.tune.shared import METHODS_TOLD, change, settled, telling, told
from palate.data.read import read
from palate.errors import MissingExtraError
from palate.runtime import rank

EXAMPLE = "Example: palate tune encoder shop/ --out tuned/ --method lora --set rank=8,epochs=2"


def encoder(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to save the tuned encoder in.")],
    method: Annotated[
        str | None, typer.Option("--method", help=f"What learns, lora if not given. {METHODS_TOLD}.")
    ] = None,
    model: Annotated[
        str, typer.Option("--encoder", help="What is tuned: a known model, a local folder or a hub id.")
    ] = "all-minilm-l6-v2",
    settings: Annotated[
        str | None, typer.Option("--set", help="Further options of EncoderTunerConfig, as name=value,name=value.")
    ] = None,
    trials: Trials = None,
    limit: SearchTime = None,
    budget: Budget = None,
    track: Track = "tensorboard",
    seed: Seed = 0,
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    as_json: Json = False,
) -> None:
    """Tune a text encoder so that people's texts lie near the texts of what they like next.

    A run that was killed goes on where it was when the same command is given again. With --trials or --search the
    options that were not given are searched; the folder has the trace as search.json and search.svg.
    """
    wanted = search_wanted(trials, limit)
    try:
        from palate.train.course import EncoderTunerConfig  # torch takes seconds to load
        from palate.train.encoder import EncoderTuner
    except ImportError as error:
        raise MissingExtraError(f'tune: no package {error.name}; pip install "palate[train]"') from None
    values = {"method": method or "lora", "model": model, "seconds": seconds_of(budget)}
    words = {"method": "--method", "model": "--encoder", "seconds": "--budget"}
    config = settled(EncoderTunerConfig, values, words, settings)
    work = out.with_name(f"{out.name}.work")
    runtime = tracking(seed, out, track, work)
    data = read(source, events=events, items=items, users=users, liked=liked)
    tuner = EncoderTuner(config)
    if wanted:
        fixed = {*named(settings, "set"), *(["method"] if method else [])}
        record = wanted.run(tuner, data, out, runtime, fixed=fixed, quiet=as_json)
    else:
        record = tuner.fit(data, out, runtime, told=telling("likes", as_json))
    if rank():  # of several processes the first one tells and tidies up
        return
    shutil.rmtree(work, ignore_errors=True)
    told(record, sentences(record, source, out), out, as_json)


def sentences(record: dict[str, Any], source: str, out: Path) -> list[str]:
    """What was learned, whether it helped, what it took, and what comes next."""
    options = record["options"]
    return [
        change(record["held_out"], "NDCG@10", "held-out likes", "use the encoder as it was"),
        f"{options['method']}: {record['trainable']:,} of {record['weights']:,} numbers learned from "
        f"{record['examples']:,} next likes in {record['seconds']:.0f} s; {record['part_mb']:.1f} MB of weights, "
        f"{record['peak_mb']:,} MB of memory at most.",
        f"Saved in {out}. Next: palate train {source} --encoder {out} --out model/",
    ]
