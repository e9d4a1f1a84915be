"""`palate tune ranker`: data in, a ranker out that reads a person's text together with each candidate's."""

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from palate import build, store
from palate.cli.options import Budget, Events, Items, Json, Liked, Seed, Track, Users, seconds_of, tracking
from palate.cli.tune.shared import METHODS_TOLD, change, settled, told
from palate.data.read import read
from palate.errors import ConfigError, MissingExtraError

EXAMPLE = "Example: palate tune ranker shop/ --out ranker/ --method lora --loss listwise --set people=1000,epochs=2"

RETRIEVERS = ("popular", "transition", "item-knn", "ease", "ials", "bm25")
NAMES = {"development_loss": "development loss", "auc": "AUC", "uauc": "UAUC", "ndcg": "NDCG@10"}


def ranker(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to save the ranker in.")],
    method: Annotated[str, typer.Option("--method", help=f"What learns beside the ranker's head. {METHODS_TOLD}.")] = (
        "lora"
    ),
    loss: Annotated[
        str,
        typer.Option("--loss", help="listwise, margin: the last like among candidates; bce, mse: ratings people gave."),
    ] = "listwise",
    model: Annotated[
        str, typer.Option("--model", help="What is tuned: a known model, a local folder or a hub id.")
    ] = build.DEFAULT_MODEL,
    retriever: Annotated[
        str, typer.Option("--retriever", help=f"Whose candidates are put in order: {', '.join(RETRIEVERS)}.")
    ] = "item-knn",
    settings: Annotated[
        str | None, typer.Option("--set", help="Further options of RankerTrainerConfig, as name=value,name=value.")
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
    """Tune a ranker to put what a person likes next above the other candidates of a retriever.

    A run that was killed goes on where it was when the same command is given again.
    """
    try:
        from palate.train.ranker import RankerTrainer, RankerTrainerConfig  # torch takes seconds to load
    except ImportError as error:
        raise MissingExtraError(f'tune: no package {error.name}; pip install "palate[train]"') from None
    values = {"method": method, "loss": loss, "model": model, "seconds": seconds_of(budget)}
    words = {"method": "--method", "loss": "--loss", "model": "--model", "seconds": "--budget"}
    config = settled(RankerTrainerConfig, values, words, settings)
    if retriever not in RETRIEVERS:
        raise ConfigError(f'retriever: "{retriever}" is not one of {", ".join(RETRIEVERS)}')
    store.check_free(out)
    data = read(source, events=events, items=items, users=users, liked=liked)
    work = out.with_name(f"{out.name}.work")
    kind, _ = build.PARTS[retriever]
    trainer = RankerTrainer(config, told=(lambda _: None) if as_json else _show)
    made = trainer.fit(data, kind(), tracking(seed, out, track, work))
    record = {**made.record_, "retriever": retriever}
    store.save(out, made, {"palate": version("palate"), "ranker": record})
    shutil.rmtree(work, ignore_errors=True)
    told(record, sentences(record, source, out), out, as_json)


def sentences(record: dict[str, Any], source: str, out: Path) -> list[str]:
    """Whether it helped, what was learned, what it took, and what comes next."""
    lines = []
    if "held_out" in record:
        what = f"{'lists' if record['measure'] == 'NDCG@10' else 'people'} that nothing was chosen by"
        lines.append(change(record["held_out"], record["measure"], what, "every order is kept"))
    if "trainable" in record:
        lines.append(
            f"{record['options']['method']}: {record['trainable']:,} of {record['weights']:,} numbers learned from "
            f"{record['pairs']:,} pairs in {record['seconds']:.0f} s; {record['peak_mb']:,} MB of memory at most."
        )
    if not record["kept_order"]:
        return [*lines, f"Saved in {out}. Next: palate train {source} --ranker {out} --out model/"]
    why = "nothing better was learned" if lines else f"{record['lists']:,} lists with a known answer are too few"
    return [*lines, f"Of no use: {why}, so the ranker in {out} keeps every order; bring more data or another method."]


def _show(row: dict[str, float]) -> None:
    told = [f"{NAMES.get(name, name)} {row[name]:.4f}" for name in ("loss", "accuracy", *NAMES) if name in row]
    typer.echo(f"  epoch {row['epoch']:.0f}: {', '.join(told)}, {row['seconds']:.0f} s")
