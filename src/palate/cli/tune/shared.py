"""What the commands that tune share: options from words, and whether tuning helped in a sentence."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer

from palate.cli.options import named, show_json
from palate.config import configured
from palate.errors import ConfigError
from palate.evaluation.decisions import difference
from palate.tuning.methods import METHODS

C = TypeVar("C")

METHODS_TOLD = "; ".join(f"{name}: {method.meaning}" for name, method in METHODS.items())


def settled(kind: type[C], values: Mapping[str, Any], words: Mapping[str, str], settings: str | None) -> C:
    """The configuration of values that have options of their own, and of `--set`; words: what these are called.

    Raises ConfigError for what is unknown, out of range or given by both.
    """
    further = named(settings, "set")
    for name, word in words.items():
        if name in further:
            raise ConfigError(f"set: {name} is given by {word}")
    return configured(kind, {**values, **further}, "set")


def change(found: Mapping[str, float], measure: str, what: str, advice: str) -> str:
    """Before, after and the difference with its interval; the verdict hangs on the interval alone."""
    if found["low"] > 0:
        verdict = "better than before"
    elif found["high"] < 0:
        verdict = f"worse than before: {advice}"
    else:
        verdict = "no difference shown"
    return f"{measure} on {found['people']:,} {what}: {difference(found)}: {verdict}."


def told(record: Mapping[str, Any], lines: Sequence[str], out: Path, as_json: bool) -> None:
    """The record of a run that is over: as JSON, or in sentences."""
    if as_json:
        show_json({**record, "folder": str(out)})
        return
    for line in lines:
        typer.echo(line)


def telling(what: str, quiet: bool) -> Callable[[Mapping[str, float]], object]:
    """What tells of an epoch in a line, unless quiet; what: those that choose the epoch."""

    def told_of(row: Mapping[str, float]) -> None:
        found = f"loss {row['loss']:.4f}, NDCG@10 {row['quality']:.4f} on the {what} that choose the epoch"
        typer.echo(f"  epoch {row['epoch']:.0f}: {found}, {row['seconds']:.0f} s")

    return (lambda _: None) if quiet else told_of
