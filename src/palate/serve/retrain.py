"""`python -m palate.serve.retrain STATE`: the log and the live version to a new one, judged before it answers.

The newest likes are not trained on, so that the gate can judge by them; a version reads them as histories all the same.
"""

import json
import os
import sys
from pathlib import Path
from time import time

import numpy as np
from sqlalchemy import Engine

from palate.data.dataset import Dataset
from palate.data.grow import Happening, grown
from palate.errors import PalateError
from palate.model import Model, fit
from palate.runtime import Runtime
from palate.serve import entries as stored
from palate.serve import events as logged
from palate.serve.database import opened
from palate.serve.registry import Registry
from palate.serve.settings import ServeConfig, settings
from palate.serve.trained import Training

HELD_OUT = 0.1  # of the events since the last training, the newest
SAME = ("seed", "encoder", "diversify", "newcomers", "llm", "ranker")  # choices of the live version that stay
NICE = 10  # requests go first


def retrain(registry: Registry, engine: Engine, config: ServeConfig, work: Path) -> dict[str, str]:
    """Train the live version's recipe anew, publish it, and promote it where the gate lets it pass.

    work: where training keeps what it needs to go on after being killed. Returns version, verdict and reasons.
    """
    live = registry.serving().model
    sequence, moment = logged.last_seq(engine), time()
    data = today(live, engine, sequence)
    until = _until(data, live.data)
    older = data.with_events(data.events.time <= until)
    same = {name: live.about[name] for name in SAME if live.about.get(name) is not None}
    runtime = Runtime(seed=int(live.about["seed"]), work=work)
    model = fit(older, str(live.about["recipe"]), budget=config.retrain_budget_s, runtime=runtime, **same)
    trained = Training(sequence, moment, until).marked(model)
    version = registry.publish(trained, who="retrain", note=f"trained up to event {sequence}")
    outcome = registry.gate(version, data, who="retrain")
    if outcome.passed:
        registry.promote(version, who="retrain", why="the gate let it pass")
    return {"version": version, "verdict": outcome.verdict, "reasons": " ".join(outcome.reasons)}


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
    """Train in a state folder; prints the outcome as JSON; the exit code is 0 where a version was published."""
    os.nice(NICE)
    try:
        config = settings()
        engine = opened(config.database or f"sqlite:///{folder / 'service.db'}")
        print(json.dumps(retrain(Registry(folder), engine, config, folder / "training")))
    except PalateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
