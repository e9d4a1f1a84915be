"""What a step costs: seconds and the highest resident memory while it ran."""

import contextlib
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_PROCESS = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Cost:
    """Wall-clock seconds, and the highest resident memory of the whole process meanwhile, in MB.

    Where the system cannot reset its memory counter (anything but Linux) the peak is that since the process began.
    """

    seconds: float
    peak_mb: float


def measured(step: Callable[[], T]) -> tuple[T, Cost]:
    """The result of a step and what it cost."""
    _reset_peak()
    start = time.perf_counter()
    result = step()
    return result, Cost(time.perf_counter() - start, _peak_mb())


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")  # man 5 proc: resets VmHWM


def _peak_mb() -> float:
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 1024
