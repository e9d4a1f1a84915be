"""`palate profile`: data in, a file of editable profiles out."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from palate import build
from palate.cli.options import Events, Items, Json, Liked, Seed, Users, show_json, watched
from palate.data.audit import refuse_leaks, told_targets
from palate.data.read import read
from palate.data.split import split as cut
from palate.text.profile import ProfileConfig, write_profiles
from palate.text.profiles_file import read_profiles, write_profile_lines

app = typer.Typer()


@app.command(epilog="Example: palate profile shop/ --out profiles.jsonl --split time --number 100")
def profile(
    source: Annotated[str, typer.Argument(metavar="DATA", help="A folder with events, items and users.")],
    out: Annotated[Path, typer.Option("--out", help="The file of profiles; edited lines in it are kept.")],
    generator: Annotated[
        str | None,
        typer.Option(
            "--generator",
            help="Who writes them: a known model, a folder, a hub id, or an http address of a service, with #MODEL "
            "behind it; the history itself if not given.",
        ),
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", help="Only so many people, those with most likes.", min=1)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Write from the train part of this split and refuse a file that tells of the rest: time, "
            "leave-last-out, random, random-per-user or cold-items.",
        ),
    ] = None,
    attribute: Annotated[str, typer.Option("--attribute", help="The items' column that themes come from.")] = "tags",
    liked: Liked = None,
    events: Events = None,
    items: Items = None,
    users: Users = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write what a history says of each person, one editable line each: likes, dislikes, themes."""
    before = read_profiles(out)
    model = build.make_generator(generator, seed) if generator else None
    data = read(source, events=events, items=items, users=users, liked=liked)
    held = cut(data, split, watched(seed)) if split else None
    known = held.train if held else data
    likes = np.bincount(known.events.user[known.events.liked], minlength=known.n_users)
    wanted = np.sort(np.argsort(-likes, kind="stable")[: number or known.n_users])
    made = write_profiles(known, wanted, ProfileConfig(attribute=attribute), generator=model, before=before)
    if held:
        texts = {one.user_id: one.text for one in made.profiles}
        refuse_leaks(told_targets(held, [texts.get(name, "") for name in known.users.ids.ids]))
    write_profile_lines(out, made.profiles)
    counts = {name: getattr(made, name) for name in ("rendered", "generated", "kept", "edited", "claims", "dropped")}
    if as_json:
        show_json({**counts, "fallen_back": made.fallen_back, "profiles": len(made.profiles), "out": str(out)})
        return
    typer.echo(
        f"{len(made.profiles):,} profiles in {out}: {made.rendered} from histories, {made.generated} written by a "
        f"model, {made.kept} as they were, {made.edited} edited by a person."
    )
    if made.claims:
        typer.echo(
            f"{made.dropped} of {made.claims} claims of the model had no support in the history and were dropped; "
            f"{made.fallen_back} profiles had nothing left and were made from the history."
        )
