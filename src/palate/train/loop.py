"""A model, its batches and a measure of quality to the best weights: optimiser, schedule, early stop, checkpoints."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from palate.config import option, options
from palate.errors import StoreError
from palate.runtime import Runtime, give_back_memory, log, rank
from palate.train import checkpoint, processes
from palate.train.track import tracked

Batch = Any
BETAS = (0.9, 0.98)


@options
class LoopConfig:
    epochs: int = option(20, "Epochs, at most.", low=1)
    learning_rate: float = option(2e-3, "Largest step of the optimiser.", low=0.0)
    warm_up: float = option(0.05, "Share of the run in which the step grows; then it falls to 0.", low=0.0, high=1.0)
    weight_decay: float = option(0.1, "Pull of all weights towards 0.", low=0.0)
    clip: float = option(5.0, "Length at which a gradient is cut.", low=0.0)
    patience: int = option(4, "Epochs without a better result before training ends.", low=1)
    seconds: float = option(math.inf, "Time for training, about; the steps shrink to 0 within it.", low=0.0)


@dataclass(frozen=True)
class Epochs:
    """What one epoch is: `batches` given a random stream, at most `n_batches` of them."""

    batches: Callable[[np.random.Generator], Iterator[Batch]]
    n_batches: int


class _Clock:
    """How much of a run is done: the larger of its share of steps and its share of the time."""

    def __init__(self, n_steps: int, seconds: float) -> None:
        self.n_steps, self.seconds, self.start = n_steps, seconds, time.perf_counter()

    def done(self, step: float) -> float:
        late = 0.0
        if self.seconds < math.inf:
            late = processes.agreed((time.perf_counter() - self.start) / self.seconds if self.seconds else 1.0)
        return max(step / max(self.n_steps, 1), late)


def train(
    model: nn.Module,
    loss_of: Callable[[Batch], Tensor],
    epochs: Epochs,
    quality_of: Callable[[], float],
    config: LoopConfig,
    runtime: Runtime,
    name: str,
    *,
    accumulate: int = 1,
    shared: bool = False,
    reseed: Callable[[int], object] = torch.manual_seed,
    after_step: Callable[[int], object] = lambda _: None,
    after_epoch: Callable[[int, float, float], Mapping[str, float]] = lambda *_: {},
) -> list[float]:
    """Leaves `model` with the weights of its best epoch, and returns each epoch's quality.

    AdamW (Loshchilov and Hutter, 2019, ICLR), warmed up, then falling to zero linearly. Where the runtime has a work
    folder, each epoch is written to `name`.safetensors there and a run that finds it goes on from it with the same
    result as if it had never stopped. `runtime.track` shows the options and each epoch's numbers. When `seconds` are
    over, training ends within the epoch; how far it got then hangs on the machine.

    accumulate: batches whose gradients are averaged before a step.
    shared: whether `loss_of` does only this process's share of a batch, as `processes.gathered` describes, where
        several were launched; their gradients are then summed, the first one's clock and quality count, and it alone
        writes. Otherwise several raise ConfigError.
    reseed: sets what `loss_of` draws from to a number; torch's own stream, which all threads share, unless given.
    after_step: told the step, counted from 0, while its gradients are still there.
    after_epoch: told the epoch, counted from 0, its mean loss and its quality, before they are written; returns further
        numbers by name, to be shown.
    """
    if not shared:
        processes.alone(name)
    optimiser = torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=BETAS, weight_decay=config.weight_decay, fused=True
    )
    saved = runtime.work / f"{name}.safetensors" if runtime.work else None
    best, qualities = checkpoint.read(saved, model, optimiser) if saved else ({}, [])
    if processes.agreed(len(qualities)) != len(qualities):
        raise StoreError(f"{saved}: is not what the first process sees; give all processes one work folder")
    clock = _Clock(config.epochs * epochs.n_batches, config.seconds)
    with tracked(runtime, name, asdict(config), len(qualities)) as note:
        for epoch in runtime.progress(range(len(qualities), config.epochs), name, config.epochs - len(qualities)):
            if qualities and (_stale(qualities, config.patience) or clock.done(epoch * epochs.n_batches) >= 1):
                break
            steps = _Steps(model, optimiser, config, accumulate, reseed, after_step)
            loss = _epoch(steps, loss_of, epochs, clock, runtime.rng(f"{name}.{epoch}"), epoch)
            give_back_memory()
            qualities.append(processes.agreed(quality_of() if not rank() else 0.0))
            if qualities[-1] >= max(qualities):
                best = {key: value.clone() for key, value in model.state_dict().items()}
            log.info("%s: epoch %d of %d, loss %.4f, quality %.4f", name, epoch + 1, config.epochs, loss, qualities[-1])
            further = after_epoch(epoch, loss, qualities[-1])
            note({"loss": loss, "quality": qualities[-1], **further}, epoch)
            if saved and not rank():
                checkpoint.write(saved, model, optimiser, best, qualities)
    model.load_state_dict(best)
    return qualities


@dataclass(frozen=True)
class _Steps:
    """What is done with the gradients of `accumulate` batches."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    config: LoopConfig
    accumulate: int
    reseed: Callable[[int], object]
    after: Callable[[int], object]

    def take(self, step: int, done: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * pace(min(done, 1.0), self.config.warm_up)
        processes.sum_gradients(self.model)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        self.after(step)
        self.optimiser.zero_grad()


def _epoch(
    steps: _Steps,
    loss_of: Callable[[Batch], Tensor],
    epochs: Epochs,
    clock: _Clock,
    rng: np.random.Generator,
    epoch: int,
) -> float:
    """The mean loss of one pass. Its random numbers hang on epoch and process alone, so that a resumed run repeats
    them."""
    steps.reseed(int(rng.integers(2**62)) + rank())
    steps.model.train()
    steps.optimiser.zero_grad()
    losses: list[float] = []
    every, done = steps.accumulate, 0.0
    first = epoch * math.ceil(epochs.n_batches / every)
    for place, batch in enumerate(epochs.batches(rng), epoch * epochs.n_batches):
        done = clock.done(place + 0.5)
        if done >= 1 and losses:
            break
        loss = loss_of(batch)
        (loss / every).backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        if len(losses) % every == 0:
            steps.take(first + len(losses) // every - 1, done)
    if len(losses) % every:
        steps.take(first + len(losses) // every, done)
    steps.model.eval()
    return float(np.mean(losses)) if losses else 0.0


def pace(done: float, warm_up: float) -> float:
    """The share of the largest learning rate when a share of the run is done: up over the first `warm_up`, then down.

    >>> [round(pace(done, 0.25), 2) for done in (0.0, 0.125, 0.25, 0.5, 0.75, 1.0)]
    [0.0, 0.5, 1.0, 0.67, 0.33, 0.0]
    """
    return done / warm_up if done < warm_up else (1 - done) / max(1 - warm_up, 1e-9)


def _stale(qualities: list[float], patience: int) -> bool:
    """Whether the last `patience` epochs brought nothing better."""
    return len(qualities) > patience and max(qualities[-patience:]) < max(qualities)
