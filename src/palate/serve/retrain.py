"""`python -m palate.serve.retrain STATE`: the log and the live version to a new one, judged before it answers.

The newest likes are not trained on, so that the gate can judge by them; a version reads them as histories all the same.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time

import numpy as np
from filelock import FileLock, Timeout
from sqlalchemy import Engine

from palate.data.dataset import Dataset
from palate.data.grow import Happening, grown
from palate.errors import PalateError, StoreError
from palate.model import Model, fit
from palate.runtime import Runtime, log
from palate.serve import entries as stored
from palate.serve import events as logged
from palate.serve.database import opened
from palate.serve.registry import Registry
from palate.serve.settings import ServeConfig, settings
from palate.serve.trained import Training

HELD_OUT = 0.1  # of the events since the last training, the newest
SAME = ("seed", "encoder", "diversify", "newcomers", "llm", "ranker")  # choices of the live version that stay
NICE = 10  # requests go first
PATIENCE_S = 30.0  # for a process that trains in the same folder; that of a service that was killed ends at once


def retrain(registry: Registry, engine: Engine, config: ServeConfig, work: Path) -> dict[str, str | int]:
    """Train the live version's recipe anew, publish it, and promote it where the gate lets it pass.

    A version that was published before and left unjudged by a process that was killed is judged instead.

    work: where training keeps what it needs to go on after being killed. Returns version, verdict, reasons, and the
    sequence up to which the version was trained.
    """
    live = registry.serving().model
    sequence, moment = logged.last_seq(engine), time()
    data = today(live, engine, sequence)
    for version, training in _left(registry, live):
        try:
            return _judged(registry, version, training, data)
        except PalateError as error:
            log.warning("%s, which a training that was killed left, is not judged: %s", version, error)
    until = _until(data, live.data)
    older = data.with_events(data.events.time <= until)
    same = {name: live.about[name] for name in SAME if live.about.get(name) is not None}
    runtime = Runtime(seed=int(live.about["seed"]), work=work)
    model = fit(older, str(live.about["recipe"]), budget=config.retrain_budget_s, runtime=runtime, **same)
    training = Training(sequence, moment, until)
    version = registry.publish(training.marked(model), who="retrain", note=f"trained up to event {sequence}")
    return _judged(registry, version, training, data)


def _judged(registry: Registry, version: str, training: Training, data: Dataset) -> dict[str, str | int]:
    """Ask the gate about a version, and let it answer everybody if it passes."""
    outcome = registry.gate(version, data, who="retrain")
    if outcome.passed:
        registry.promote(version, who="retrain", why="the gate let it pass")
    reasons = " ".join(outcome.reasons)
    return {"version": version, "verdict": outcome.verdict, "reasons": reasons, "sequence": training.sequence}


def _left(registry: Registry, live: Model) -> Iterator[tuple[str, Training]]:
    """Versions that know more of the log than the live one and that nobody judged, tried or promoted; newest first."""
    handled = {entry.get("version") for entry in registry.audit() if entry["what"] != "publish"}
    for version in reversed(registry.ids()):
        if version in handled:
            continue
        try:
            training = Training.of(registry.load(version))
        except StoreError:  # the list of versions says why
            continue
        if training.sequence > Training.of(live).sequence:
            yield version, training


def today(live: Model, engine: Engine, sequence: int) -> Dataset:
    """What the live version was trained on and what happened since, up to a place in the server's order."""
    training = Training.of(live)
    happened = [
        Happening(one.user_id, one.item_id, one.time, one.value, one.kind, one.text)
        for one in logged.since(engine, 0)
        if one.seq <= sequence and training.without(one)
    ]
    items = {one.id: None if one.deleted else one.fields for one in stored.all_of(engine, "item")}
    users = list(stored.all_of(engine, "user"))
    forgotten = {one.id for one in users if one.deleted and one.changed > training.began}
    words = {one.id: one.fields for one in users if one.fields}
    return grown(live.data, happened, items, words, forgotten)


def _until(data: Dataset, before: Dataset) -> float:
    """The time up to which events are trained on: the newest HELD_OUT of those that are new stay out."""
    newest = float(before.events.time.max(initial=-np.inf))
    fresh = np.sort(data.events.time[data.events.time > newest])
    return float(fresh[int(len(fresh) * (1 - HELD_OUT))]) if len(fresh) else float("inf")


def main(folder: Path) -> int:
    """Train in a state folder; prints the outcome as JSON; the exit code is 0 where a version was published.

    Ends when its input does, since whoever started it is gone then.
    """
    os.nice(NICE)
    threading.Thread(target=_end_with_input, daemon=True).start()
    try:
        config = settings()
        with _alone(folder / "training"):
            engine = opened(config.database or f"sqlite:///{folder / 'service.db'}")
            print(json.dumps(retrain(Registry(folder), engine, config, folder / "training")))
    except PalateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(1)


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Only one process trains in a folder; the system gives it free when that process ends, however it does.

    Raises StoreError, with the number of the one that is at work, where it does not end soon.
    """
    try:
        work.mkdir(exist_ok=True)
        with FileLock(work / ".lock", timeout=PATIENCE_S):
            (work / "holder").write_text(str(os.getpid()))
            yield
    except Timeout:
        holder = (work / "holder").read_text()
        raise StoreError(f"{work}: process {holder} trains here; wait until it ends, or end it") from None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
