"""Seconds an epoch, side by side: SASRec of RecTools and our sequence model, alike in width, length and batch.

    python -m benchmarks.epoch_speed [--epochs 5] [--people 0] [--data FOLDER]

Amazon Beauty, leave-last-out. Both learn from train with the full softmax over the catalogue, and both end every epoch
with a check on held-out likes of train, which is part of its seconds: theirs the loss, ours NDCG@10, each of about
2,000 people. Theirs reads ids, ours ids and texts, whose encoding is measured apart. Neither stops early. At the end
both rank the whole catalogue for the validation events. Prints JSON.
"""

import argparse
import json
import logging
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback

from benchmarks.peers.with_rectools import VALIDATING, TransformerPeer
from benchmarks.sets.shops import beauty
from palate.build import make_encoder
from palate.data.dataset import Dataset
from palate.data.split import Holdout
from palate.evaluation.compare import interval
from palate.evaluation.environment import environment
from palate.evaluation.ranking import answered
from palate.metrics.accuracy import NDCG
from palate.pipeline import Recommender
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.train.sequence import SequenceTrainer, SequenceTrainerConfig

DIM, LAYERS, HEADS, LENGTH, DROPOUT = 128, 2, 2, 50, 0.3
PEOPLE_IN_BATCH = 128  # theirs counts people, ours next items: 128 times the mean number of next items


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--epochs", type=int, default=5, help="for both")
    parser.add_argument("--people", type=int, default=0, help="only the first so many of them, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    runtime = Runtime(seed=asked.seed)
    _, cut = beauty(asked.data, runtime)
    train, validation = cut.train, cut.validation
    if asked.people:
        train, validation = first_people(train, validation, asked.people)
    print(json.dumps(measure(train, validation, asked.epochs, runtime), indent=2))


def measure(train: Dataset, validation: Holdout, epochs: int, runtime: Runtime) -> dict[str, Any]:
    """Seconds of every epoch of both, NDCG@10 on validation with its interval, and what was alike."""
    lengths = train.histories().lengths
    batch = round(PEOPLE_IN_BATCH * float(np.mean(np.minimum(lengths[lengths > 1] - 1, LENGTH))))
    found = {
        "rectools": theirs(train, validation, epochs, runtime),
        "palate": ours(train, validation, epochs, batch, runtime),
    }
    middle = [statistics.median(one["epoch_s"]) for one in found.values()]
    return {
        **found,
        "ratio_of_medians": round(middle[0] / middle[1], 2),
        "alike": {
            "dim": DIM,
            "layers": LAYERS,
            "heads": HEADS,
            "length": LENGTH,
            "dropout": DROPOUT,
            "batch": f"{PEOPLE_IN_BATCH} people against {batch} next items, the mean of as many people",
            "threads": torch.get_num_threads(),
        },
        "data": {"train events": len(train.events), "items": train.n_items, "asked": len(validation)},
        "environment": environment(),
    }


@dataclass
class Clock(Callback):
    """When each epoch began."""

    ticks: list[float] = field(default_factory=list)

    def __deepcopy__(self, _: Any) -> "Clock":
        return self  # the library trains with a copy of the trainer, and the ticks are wanted here

    def on_train_epoch_start(self, *_: Any) -> None:
        self.ticks.append(time.perf_counter())

    def on_train_end(self, *_: Any) -> None:
        self.ticks.append(time.perf_counter())


def theirs(train: Dataset, validation: Holdout, epochs: int, runtime: Runtime) -> dict[str, Any]:
    clock = Clock()
    options = {
        "n_factors": DIM,
        "n_blocks": LAYERS,
        "n_heads": HEADS,
        "session_max_len": LENGTH,
        "dropout_rate": DROPOUT,
        "batch_size": PEOPLE_IN_BATCH,
    }
    peer = TransformerPeer(options, most_epochs=epochs, patience=epochs, callbacks=(clock,))
    model = peer.fit(train, runtime)
    return {"epoch_s": _between(clock.ticks), **_quality(model, validation, runtime)}


class Ticks(logging.Handler):
    """When each epoch of ours was logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.at: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "epoch" in record.getMessage():
            self.at.append(time.perf_counter())


def ours(train: Dataset, validation: Holdout, epochs: int, batch: int, runtime: Runtime) -> dict[str, Any]:
    """The first epoch is timed from the start of fitting, with the vectors of the texts already there."""
    encoder = make_encoder("auto")
    start = time.perf_counter()
    encoder.fit(item_texts(train.items), runtime).encode(item_texts(train.items), role="item")
    encoding = time.perf_counter() - start
    config = SequenceTrainerConfig(
        dim=DIM,
        layers=LAYERS,
        heads=HEADS,
        length=LENGTH,
        dropout=DROPOUT,
        batch=batch,
        epochs=epochs,
        patience=epochs,
        held_out=VALIDATING,
    )
    ticks, logger = Ticks(), logging.getLogger("palate")
    level = logger.level
    logger.addHandler(ticks)
    logger.setLevel(logging.INFO)
    try:
        start = time.perf_counter()
        model = SequenceTrainer(config, encoder=encoder).fit(train, runtime)
    finally:
        logger.removeHandler(ticks)
        logger.setLevel(level)
    return {
        "epoch_s": _between([start, *ticks.at]),
        "encoding_s": round(encoding, 2),
        **_quality(model, validation, runtime),
    }


def first_people(train: Dataset, validation: Holdout, n: int) -> tuple[Dataset, Holdout]:
    """A cut of the data for trying this out; the catalogue stays whole."""
    few = Holdout(validation.users[:n], validation.truth.take(slice(0, n)), validation.known, validation.window)
    return train.with_events(train.events.user < n), few


def _quality(model: Any, validation: Holdout, runtime: Runtime) -> dict[str, Any]:
    slate = answered(Recommender(model), validation, 10, runtime)
    found = interval(NDCG(10).per_user(slate, validation.truth), runtime.rng("bootstrap"))
    return {"validation ndcg@10": {"mean": found.mean, "low": found.low, "high": found.high}}


def _between(ticks: list[float]) -> list[float]:
    return [round(float(one), 2) for one in np.diff(ticks)]


if __name__ == "__main__":
    main()
