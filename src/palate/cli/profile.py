"""`palate profile`: data in, a file of editable profiles of people, or of attributes of items, out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from palate import build
from palate.cli.options import Events, Items, Json, Liked, Seed, Users, show_json, watched
from palate.contracts import Generator
from palate.data.audit import refuse_leaks, told_targets
from palate.data.dataset import Dataset
from palate.data.read import read
from palate.data.split import Split
from palate.data.split import split as cut
from palate.errors import ConfigError
from palate.text.attributes import AttributesConfig, write_attributes
from palate.text.attributes_file import Attributes, read_attributes, write_attribute_lines
from palate.text.made import Outcome
from palate.text.profile import ProfileConfig, write_profiles
from palate.text.profiles_file import Profile, read_profiles, write_profile_lines
from palate.types import Longs

app = typer.Typer()


@app.command(epilog="Example: palate profile shop/ --out profiles.jsonl --split time --number 100")
def profile(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The file of profiles; edited lines in it are kept.")],
    of: Annotated[
        str,
        typer.Option(
            "--of", help="people: likes, dislikes, themes; items: tags and aspects, from their texts and reviews."
        ),
    ] = "people",
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            help="Who writes them: a known model, a folder, a hub id, or an http address of a service, with #MODEL "
            "behind it; the data itself if not given.",
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", help="Only so many people or items, those with most likes.", min=1)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Write from the train part of this split and refuse a file that tells people's rest: time, "
            "leave-last-out, random, random-per-user or cold-items.",
        ),
    ] = None,
    attribute: Annotated[
        str, typer.Option("--attribute", help="The items' column that themes, or an item's own tags, come from.")
    ] = "tags",
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write what histories say of each person: likes, dislikes, themes; or what texts and reviews say of each item:
    tags, aspects. One editable line each."""
    if of not in _WRITERS:
        raise ConfigError(f'of: "{of}" is not one of {", ".join(_WRITERS)}')
    writer = _WRITERS[of]
    before = writer.read(out)
    model = build.make_generator(generator, seed) if generator else None
    data = read(source, events=events, items=items, users=users, liked=liked)
    held = cut(data, split, watched(seed)) if split else None
    known = held.train if held else data
    made = writer.make(known, _most_liked(known, of, number), attribute, model, before)
    if held:
        writer.audit(held, made)
    writer.write(out, made.profiles)
    if as_json:
        names = ("rendered", "generated", "kept", "edited", "claims", "dropped", "fallen_back")
        counts = {name: getattr(made, name) for name in names}
        show_json({**counts, writer.called: len(made.profiles), "out": str(out)})
        return
    typer.echo(
        f"{len(made.profiles):,} {writer.lines} in {out}: {made.rendered} from {writer.origin}, {made.generated} "
        f"written by a model, {made.kept} as they were, {made.edited} edited by a person."
    )
    if made.claims:
        typer.echo(
            f"{made.dropped} of {made.claims} claims of the model had no support in the {writer.support} and were "
            f"dropped; {made.fallen_back} {writer.called} had nothing left and were made from the {writer.support}."
        )


@dataclass(frozen=True, slots=True)
class _Writer:
    """How one kind is read, made, audited and written, and what a command says of it."""

    read: Callable[[Path], Any]
    make: Callable[[Dataset, Longs, str, Generator | None, Any], Outcome[Any]]
    audit: Callable[[Split, Outcome[Any]], None]
    write: Callable[[Path, Any], None]
    called: str
    lines: str
    origin: str
    support: str


def _people(
    known: Dataset, rows: Longs, attribute: str, model: Generator | None, before: tuple[Profile, ...]
) -> Outcome[Profile]:
    return write_profiles(known, rows, ProfileConfig(attribute=attribute), generator=model, before=before)


def _items(
    known: Dataset, rows: Longs, attribute: str, model: Generator | None, before: tuple[Attributes, ...]
) -> Outcome[Attributes]:
    return write_attributes(known, rows, AttributesConfig(attribute=attribute), generator=model, before=before)


def _refuse_told_targets(held: Split, made: Outcome[Profile]) -> None:
    texts = {one.user_id: one.text for one in made.profiles}
    refuse_leaks(told_targets(held, [texts.get(name, "") for name in held.train.users.ids.ids]))


def _most_liked(known: Dataset, of: str, number: int | None) -> Longs:
    """The rows of so many people or items with most likes, rising."""
    events, width = known.events, known.n_users if of == "people" else known.n_items
    likes = np.bincount((events.user if of == "people" else events.item)[events.liked], minlength=width)
    return np.sort(np.argsort(-likes, kind="stable")[: number or width])


_WRITERS = {
    "people": _Writer(
        read_profiles,
        _people,
        _refuse_told_targets,
        write_profile_lines,
        "profiles",
        "profiles",
        "histories",
        "history",
    ),
    "items": _Writer(
        read_attributes,
        _items,
        lambda held, made: None,
        write_attribute_lines,
        "items",
        "items with attributes",
        "texts and reviews",
        "texts",
    ),
}
