"""What the commands that tune share: options from words, and whether tuning helped in a sentence."""

from collections.abc import Mapping
from typing import Any, TypeVar

from palate.cli.options import named
from palate.config import configured
from palate.errors import ConfigError
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
    return (
        f"{measure} on {found['people']:,} {what}: before {found['before']:.4f}, after {found['after']:.4f}, "
        f"change {found['change']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]: {verdict}."
    )
