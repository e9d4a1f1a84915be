"""`palate versions`: a registry of models in; what is live, what was judged, and moves of the aliases out."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, Liked, Seed, show_json
from palate.data.read import read
from palate.errors import VersionError
from palate.evaluation.compare import Interval
from palate.evaluation.result import plain
from palate.runtime import Runtime
from palate.serve.attempt import Attempt
from palate.serve.gate import GateConfig, Outcome
from palate.serve.registry import Registry
from palate.serve.side_by_side import SideBySide, side_by_side

app = typer.Typer(no_args_is_help=True)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="An id from the list, or live, previous, newest.")]
Force = Annotated[bool, typer.Option("--force", help="Against the gate; the audit says so.")]
Why = Annotated[str, typer.Option("--why", help="A reason, for the audit.")]
WHO = "command line"


@app.callback()
def at(
    ctx: typer.Context,
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The folder of the registry; made by `publish`.")],
) -> None:
    """Versions of a served model: publish, judge, compare, try on some people, promote, go back.

    Example: palate versions shop.versions/ publish model/
    """
    ctx.obj = Registry(root)


@app.command("list")
def listing(ctx: typer.Context, as_json: Json = False) -> None:
    """All versions, the oldest first, with their state; every file is checked."""
    found = ctx.obj.versions()
    if as_json:
        show_json([{"version": one.id, "state": one.state, "damage": one.damage, "card": one.card} for one in found])
        return
    canary = ctx.obj.aliases().canary
    for one in found:
        share = f" {canary.share:.0%}" if canary and canary.version == one.id else ""
        gate = one.card.get("gate") or {"verdict": "not judged"}
        recipe, note = one.card.get("recipe") or "", one.card.get("note") or ""
        typer.echo(f"{one.id}  {one.state + share:<12}{gate['verdict']:<12}{recipe:<12}{note}".rstrip())
        if one.damage:
            typer.echo(f"    {one.damage}")
    if last := Attempt.last(ctx.obj.root):
        typer.echo(f"The last {last}")


@app.command()
def show(ctx: typer.Context, version: Version, as_json: Json = False) -> None:
    """Where a version comes from and what the gate found."""
    registry = ctx.obj
    name = _named(registry, version)
    card = registry.card(name)
    if as_json:
        show_json({**card, "role": registry.aliases().role(name)})
        return
    typer.echo(f"{name}: {registry.aliases().role(name)}")
    for key in ("when", "recipe", "encoder", "seed", "data", "palate", "parent", "note"):
        if card.get(key) not in (None, ""):
            typer.echo(f"{key}: {card[key]}")
    if card["gate"]:
        _show_outcome(Outcome.of_plain({key: value for key, value in card["gate"].items() if key != "when"}))
    else:
        typer.echo("The gate has not judged it.")


@app.command()
def publish(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a saved model.")],
    note: Annotated[str, typer.Option("--note", help="What is new about it.")] = "",
    as_json: Json = False,
) -> None:
    """Copy a saved model into the registry as a new version; it answers nobody yet."""
    version = ctx.obj.publish(model, note=note, who=WHO)
    if as_json:
        show_json({"version": version})
        return
    first = ctx.obj.aliases().live is None
    then = f"promote {version}" if first else f"gate {version} --data DATA"
    typer.echo(f"Published {version}. Next: palate versions {ctx.obj.root} {then}")


@app.command()
def gate(
    ctx: typer.Context,
    version: Version,
    source: Annotated[
        str, typer.Option("--data", metavar="DATA", help="A folder with the whole log, newest included.")
    ],
    refit: Annotated[
        bool, typer.Option("--refit", help="Fit both recipes again on an older part, as long as that may take.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option("--tolerance", help="The share of accuracy whose loss must be ruled out.")
    ] = GateConfig.tolerance,
    people: Annotated[int, typer.Option("--people", help="People judged, at most.", min=1)] = GateConfig.people,
    seed: Seed = 0,
    liked: Liked = None,
    as_json: Json = False,
) -> None:
    """Judge a version against the live one on likes that neither has seen; exit code 1 unless it passes."""
    name = _named(ctx.obj, version)
    config = GateConfig(tolerance=tolerance, people=people)
    runtime = Runtime(seed=seed)
    outcome = ctx.obj.gate(name, read(source, liked=liked), config, refit=refit, who=WHO, runtime=runtime)
    if as_json:
        show_json(outcome.as_plain())
    else:
        _show_outcome(outcome)
    raise typer.Exit(0 if outcome.passed else 1)


@app.command()
def compare(
    ctx: typer.Context,
    a: Version,
    b: Version,
    users: Annotated[int, typer.Option("--users", help="How many people's lists are shown.", min=0)] = 3,
    k: Annotated[int, typer.Option("-k", help="How many items in a list.", min=1)] = 5,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """What the gate found of two versions, and their lists for the same people side by side."""
    names = [_named(ctx.obj, one) for one in (a, b)]
    cards = [ctx.obj.card(name) for name in names]
    models = [ctx.obj.load(name) for name in names]
    lists = side_by_side(*models, people=users, k=k, runtime=Runtime(seed=seed))
    if as_json:
        gates = {name: card["gate"] for name, card in zip(names, cards, strict=True)}
        show_json({"versions": names, "gate": gates, "lists": plain(dataclasses.asdict(lists))})
        return
    for name, card in zip(names, cards, strict=True):
        typer.echo(f"{name}: {_metrics_of(card)}")
    _show_lists(lists, dict(zip(models[1].data.items.ids.ids, models[1].data.items.title, strict=True)))


@app.command()
def canary(
    ctx: typer.Context,
    version: Version,
    share: Annotated[float, typer.Option("--share", help="The share of people that it answers; 0 ends the trial.")],
    force: Force = False,
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Let a version answer a share of the people, always the same ones."""
    if share:
        entry = ctx.obj.canary(_named(ctx.obj, version), share, force=force, who=WHO, why=why)
    else:
        entry = ctx.obj.end_canary(who=WHO, why=why)
    _show_move(entry, f"{entry['version']} answers {share:.0%} of the people." if share else "", as_json)


@app.command()
def promote(ctx: typer.Context, version: Version, force: Force = False, why: Why = "", as_json: Json = False) -> None:
    """Make a version live; the live one becomes previous."""
    _show_move(ctx.obj.promote(_named(ctx.obj, version), force=force, who=WHO, why=why), "", as_json)


@app.command()
def rollback(ctx: typer.Context, why: Why = "", as_json: Json = False) -> None:
    """Make the previous version live again."""
    _show_move(ctx.obj.rollback(who=WHO, why=why), "", as_json)


@app.command()
def retire(
    ctx: typer.Context,
    keep: Annotated[int, typer.Option("--keep", help="So many of the newest idle versions stay.", min=0)],
    as_json: Json = False,
) -> None:
    """Remove old idle versions; live, previous and canary always stay."""
    gone = ctx.obj.retire(keep, who=WHO)
    if as_json:
        show_json(gone)
        return
    typer.echo(f"Removed {len(gone)} of {len(gone) + len(ctx.obj.ids())} versions." + "".join(f"\n  {v}" for v in gone))


@app.command()
def audit(ctx: typer.Context, as_json: Json = False) -> None:
    """Who changed what, when and why; exit code 1 if the record was tampered with."""
    entries, intact = ctx.obj.audit(), ctx.obj.audit_intact()
    if as_json:
        show_json({"intact": intact, "entries": entries})
    else:
        for one in entries:
            forced = f" (forced: {one['forced']})" if one.get("forced") else ""
            why = f": {one['why']}" if one["why"] else ""
            typer.echo(f"{one['when']}  {one['who'] or 'unknown'}  {one['what']} {one['version']}{why}{forced}")
        typer.echo("The record is whole." if intact else "The record was changed after it was written.")
    raise typer.Exit(0 if intact else 1)


def _named(registry: Registry, version: str) -> str:
    """The id that a word stands for, or the id itself."""
    if version not in ("live", "previous", "newest"):
        return version
    aliases = registry.aliases()
    found = {"live": aliases.live, "previous": aliases.previous, "newest": max(registry.ids(), default=None)}[version]
    if found is None:
        raise VersionError(f"{registry.root}: no version is {version}")
    return found


def _show_move(entry: Mapping[str, Any], what: str, as_json: bool) -> None:
    if as_json:
        show_json(entry)
        return
    typer.echo(what or f"Live: {entry['to']} (before: {entry['from'] or 'none'}).")


def _show_outcome(outcome: Outcome) -> None:
    typer.echo(f"The gate: {outcome.verdict}.")
    for line in (*outcome.reasons, *outcome.notes):
        typer.echo(f"* {line}")
    if outcome.people:
        typer.echo(f"{outcome.people:,} people; judged by {outcome.protocol}.")
    for name, metrics in outcome.metrics.items():
        typer.echo(f"  {name:<12}" + "  ".join(f"{metric} {_span(value)}" for metric, value in metrics.items()))
    for name, difference in outcome.differences.items():
        typer.echo(f"  candidate less {name}: {outcome.metric} {_span(difference, '+')}")
    if outcome.latency_ms:
        took = ", ".join(f"{name} {value:.1f} ms" for name, value in outcome.latency_ms.items())
        typer.echo(f"  median answer: {took}")


def _metrics_of(card: Mapping[str, Any]) -> str:
    if not (card["gate"] and card["gate"]["metrics"]):
        return "the gate has not measured it"
    outcome = Outcome.of_plain({key: value for key, value in card["gate"].items() if key != "when"})
    found = ", ".join(f"{metric} {_span(value)}" for metric, value in outcome.metrics["candidate"].items())
    against = f" against {outcome.live}" if outcome.live else ""
    return f"{outcome.verdict}{against}; {found} ({outcome.people:,} people, data {outcome.data[:8]})"


def _show_lists(lists: SideBySide, titles: Mapping[str, str]) -> None:
    typer.echo(f"\nShare of items in both lists of {lists.k}: {lists.overlap} ({lists.overlap.n} people)")
    for pair in lists.pairs:
        typer.echo(f"\n{pair.user_id}: {pair.overlap:.0%} in both")
        for place in range(max(len(pair.a), len(pair.b))):
            left, right = (
                f"{titles.get(row[place], '')[:40]} [{row[place]}]" if place < len(row) else ""
                for row in (pair.a, pair.b)
            )
            typer.echo(f"{place + 1:>4}  {left:<52}{right}".rstrip())


def _span(value: Interval, sign: str = "") -> str:
    return f"{value.mean:{sign}.4f} [{value.low:{sign}.4f}, {value.high:{sign}.4f}]"
