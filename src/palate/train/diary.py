"""What a training run measured: its epochs, kept for a run that goes on, a comparison with an interval, memory."""

import json
import math
import resource
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from palate.runtime import rank
from palate.types import Floats

Told = Callable[[dict[str, float]], object]


class Diary:
    """Loss, quality and seconds by epoch, kept beside the checkpoint for a run that goes on."""

    def __init__(self, path: Path | None, start: float, told: Told) -> None:
        self.path, self.start, self.told = path, start, told
        lines = path.read_text(encoding="utf8").splitlines() if path and path.is_file() else []
        self.rows = {row["epoch"]: row for row in map(json.loads, lines)}

    def note(
        self, epoch: int, loss: float, quality: float, further: Mapping[str, float] | None = None
    ) -> Mapping[str, float]:
        """One more epoch, counted from 0; returns the further numbers, as `train.loop` wants them."""
        further = further or {}
        row = {"epoch": epoch + 1, "loss": loss, "quality": quality, "seconds": time.perf_counter() - self.start}
        row |= further
        self.rows[epoch + 1] = row
        if rank():
            return further
        self.told(row)
        if self.path:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(json.dumps(one) + "\n" for one in self.rows.values()), encoding="utf8")
        return further

    def upto(self, n_epochs: int) -> tuple[dict[str, float], ...]:
        """The rows of the first epochs."""
        return tuple(self.rows[epoch] for epoch in range(1, n_epochs + 1) if epoch in self.rows)


def compared(before: Floats, after: Floats) -> dict[str, float]:
    """Means of the same people, and the 95 % interval of the difference by the normal approximation."""
    change = (after - before).astype(np.float64)
    mean, half = float(change.mean()), 1.96 * float(change.std(ddof=1)) / math.sqrt(len(change))
    means = {"before": float(before.mean()), "after": float(after.mean())}
    return {"people": len(change), **means, "change": mean, "low": mean - half, "high": mean + half}


def peak_mb() -> int:
    """Memory of the process, or of the accelerator where one is used, at its highest."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() >> 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
