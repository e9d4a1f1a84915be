"""`palate recommend`: a saved model in, lists out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Json, show_json
from palate.data.frames import rows_of
from palate.explain.narrate import placed
from palate.model import load

app = typer.Typer()


@app.command(epilog='Example: palate recommend --model model/ --text "quiet science fiction" -k 5 --explain')
def recommend(
    model: Annotated[Path, typer.Option("--model", help="The folder of a saved model.")],
    user: Annotated[list[str] | None, typer.Option("--user", help="A user id; may be given several times.")] = None,
    text: Annotated[str | None, typer.Option("--text", help="A wish in plain words.")] = None,
    history: Annotated[
        str | None, typer.Option("--history", help="Item ids a stranger liked, by comma, oldest first.")
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many items in a list.", min=1)] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each item is shown.")] = False,
    include_seen: Annotated[bool, typer.Option("--include-seen", help="Also show what the user already had.")] = False,
    as_json: Json = False,
) -> None:
    """Lists from a saved model: for users, a text or a history."""
    loaded = load(model)
    loaded = replace(loaded, data=replace(loaded.data, frame="polars"))  # pandas would make texts of lists
    liked = [one.strip() for one in history.split(",")] if history else None
    answer = rows_of(
        loaded.recommend(user or None, k=k, text=text, history=liked, explain=explain, include_seen=include_seen)
    )
    if as_json:
        show_json(answer)
        return
    titles = dict(zip(loaded.data.items.ids.ids, loaded.data.items.title, strict=True))
    for row in answer:
        if row["rank"] == 1:
            typer.echo(f"{row['user_id'] or 'A stranger'}:")
        typer.echo(f"{row['rank']:>4}  {titles[row['item_id']]}  [{row['item_id']}]  {row['score']:.4f}")
        for reason in row.get("reasons", ()):
            typer.echo(f"        {reason}")
        if parts := row.get("parts"):
            typer.echo(f"        {placed({one['part']: one['contribution'] for one in parts[:-1]})}")
