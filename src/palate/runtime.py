"""The circumstances of a run, made once and handed down: seed, threads, cache folder, progress, logging."""

import contextlib
import ctypes
import logging
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import platformdirs

from palate.errors import ConfigError

T = TypeVar("T")

log = logging.getLogger("palate")

TRACKERS = ("tensorboard", "wandb", "mlflow", "none")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What every stage may ask for.

    seed: the one seed of the run; `rng` derives an independent stream for each name from it.
    quiet: no progress bars.
    work: where long runs keep checkpoints and curves, so that they can go on after being killed; None keeps nothing.
    track: what shows the numbers of training while it runs, one of `TRACKERS`.
    curves: where that writes its files; beside the checkpoints in `work` if None.
    """

    seed: int = 0
    quiet: bool = True
    work: Path | None = None
    track: str = "tensorboard"
    curves: Path | None = None

    def __post_init__(self) -> None:
        if self.track not in TRACKERS:
            raise ConfigError(f"track: {self.track!r} is not one of {', '.join(TRACKERS)}")

    def rng(self, name: str) -> np.random.Generator:
        """An independent random stream for `name`, the same on every run with this seed."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def progress(self, steps: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
        """Go through `steps`, showing a bar with the time left when a person watches."""
        if self.quiet or not sys.stderr.isatty():
            yield from steps
            return
        from rich.console import Console
        from rich.progress import track

        yield from track(steps, label, total=total, console=Console(stderr=True), transient=True)


def rank() -> int:
    """The number of this process among those that were launched together; 0 is the first, which alone writes."""
    return int(os.environ.get("RANK", "0"))


def n_processes() -> int:
    """How many processes were launched together to train one network."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def threads() -> int:
    """How many threads native code may use: the processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def give_back_memory() -> None:
    """Hand what is free back to the system, after work whose arrays were of many sizes.

    glibc otherwise keeps it, in pieces between what lives, and later work of other sizes takes new memory beside it.
    Other C libraries are left as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc here
        ctypes.CDLL(None).malloc_trim(0)


def cache_folder() -> Path:
    """Where assets and text vectors are kept: $PALATE_CACHE, or the user's cache folder."""
    named = os.environ.get("PALATE_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("palate", appauthor=False))
