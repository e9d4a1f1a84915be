"""A run's options and its numbers by epoch, to where people look at them: TensorBoard, Weights & Biases or MLflow."""

import importlib.util
import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from palate.errors import MissingExtraError
from palate.runtime import Runtime, rank

Note = Callable[[Mapping[str, float], int], object]  # numbers by name, and the epoch from 0
PROJECT = "palate"
_OPENING = threading.Lock()  # networks that learn beside each other would found one project twice
EXTRAS = {"tensorboard": "train", "wandb": "track", "mlflow": "track"}  # tracker, which is its package -> extra


@contextmanager
def tracked(runtime: Runtime, name: str, options: Mapping[str, Any], first: int = 0) -> Iterator[Note]:
    """What notes the numbers of the run `name`, from the epoch `first` on, in `runtime.curves` or else `runtime.work`.

    A run of the same name goes on. TensorBoard needs one of the two folders and notes nothing without; the others write
    to the current one then. Nothing leaves the machine unless WANDB_MODE or MLFLOW_TRACKING_URI says so. Of several
    processes the first alone notes. Raises MissingExtraError without the tracker's package.
    """
    folder = runtime.curves or runtime.work
    if rank() or runtime.track == "none" or (runtime.track == "tensorboard" and not folder):
        yield lambda *_: None
        return
    require(runtime.track)
    with ExitStack() as opened:
        with _OPENING:
            note = opened.enter_context(_OPENED[runtime.track](folder or Path(), name, options, first))
        yield note


def concluded(runtime: Runtime, name: str, numbers: Mapping[str, float]) -> None:
    """Note what came out of a run when all is over, each number as "final.NAME"."""
    if not numbers:
        return
    with tracked(runtime, name, {}) as note:
        note({f"final.{what}": value for what, value in numbers.items()}, 0)


def require(track: str) -> None:
    """Raises MissingExtraError where the tracker's package is not installed."""
    found = importlib.util.find_spec(track) if track in EXTRAS else None
    if track in EXTRAS and (found is None or found.origin is None):  # a mere folder of that name has no origin
        raise MissingExtraError(f'track: no package {track}; pip install "palate[{EXTRAS[track]}]", or choose none')


@contextmanager
def _tensorboard(folder: Path, name: str, options: Mapping[str, Any], first: int) -> Iterator[Note]:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / name), purge_step=first or None) as writer:
        if options:
            writer.add_text("options", json.dumps(dict(options), default=str), first)

        def note(numbers: Mapping[str, float], epoch: int) -> None:
            for what, value in numbers.items():
                writer.add_scalar(what, value, epoch)

        yield note


@contextmanager
def _wandb(folder: Path, name: str, options: Mapping[str, Any], first: int) -> Iterator[Note]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    mode: Any = os.environ.get("WANDB_MODE", "offline")
    quiet = wandb.Settings(silent=True, console="off")
    run = wandb.init(
        project=PROJECT, dir=str(folder), mode=mode, settings=quiet, id=name, name=name, resume="allow",
        config=dict(options), reinit="create_new",
    )  # fmt: skip
    with run:
        yield lambda numbers, epoch: run.log({"epoch": epoch, **numbers})


@contextmanager
def _mlflow(folder: Path, name: str, options: Mapping[str, Any], first: int) -> Iterator[Note]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        from mlflow.tracking import MlflowClient

        folder.mkdir(parents=True, exist_ok=True)
        address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(folder / 'mlflow.db').resolve()}"
        client = MlflowClient(tracking_uri=address)
        experiment = client.get_experiment_by_name(PROJECT)
        place = experiment.experiment_id if experiment else client.create_experiment(PROJECT)
        earlier = client.search_runs([place], f"attributes.run_name = '{name}'")
        run = (earlier[0] if earlier else client.create_run(place, run_name=name)).info.run_id
        client.update_run(run, status="RUNNING")
        for what, value in options.items() if not earlier else ():
            client.log_param(run, what, value)

    def note(numbers: Mapping[str, float], epoch: int) -> None:
        for what, value in numbers.items():
            client.log_metric(run, re.sub(r"[^\w\-. :/]", "_", what), value, step=epoch)

    try:
        yield note
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run)


_OPENED: dict[str, Callable[[Path, str, Mapping[str, Any], int], AbstractContextManager[Note]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
