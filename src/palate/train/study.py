"""A tuner and a budget to the folder it tunes best with: its options searched by Optuna on the people who choose."""

import hashlib
import json
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from palate.config import Span
from palate.data.dataset import Dataset
from palate.errors import ConfigError
from palate.runtime import Runtime
from palate.train.encoder import RECORD, free
from palate.train.processes import alone
from palate.train.track import concluded
from palate.tuning.methods import METHODS

TRACE = "search.json"
RANDOM = 5  # trials before the search learns from them, and finished ones before any is pruned

Space = dict[str, Span | tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class SearchBudget:
    """Trials, and seconds for all of them together, about; whichever ends first. What is compared gets the same."""

    trials: float = math.inf
    seconds: float = math.inf

    def __post_init__(self) -> None:
        if min(self.trials, self.seconds) == math.inf or self.trials < 1 or self.seconds <= 0:
            raise ConfigError("search: needs a budget; give a number of trials, from 1, or a time")


def search(
    tuner: Any,
    data: Dataset,
    out: Path,
    runtime: Runtime,
    budget: SearchBudget,
    *,
    fixed: Collection[str] = (),
    told: Callable[[dict[str, Any]], object] = lambda _: None,
) -> dict[str, Any]:
    """Writes to `out` what the best trial made, and returns its record with the comparison and all trials.

    The first trial is the tuner as it is; TPE (Bergstra et al., 2011, NeurIPS) chooses the others. After any epoch a
    trial ends that is worse than the median of those before. The best in the eyes of the people who choose is kept,
    and judged once, by people who chose nothing. What is killed goes on from `runtime.work` to the same end, except
    where a time limit decides.

    tuner: has options that declare where to search, `fit(..., judged=False)` and `judged`, as `EncoderTuner` has.
    fixed: options that stay as they are; so do those that are not at their defaults.
    told: after each trial its row of the trace.
    """
    alone("search")
    free(out)
    space = searched(tuner.config, fixed)
    if not space:
        raise ConfigError("search: no option is left to search; fix fewer of them")
    name = _named(tuner.config, space, data, runtime)
    with _workplace(runtime) as work:
        study = _study(work, name)
        best = work / f"{name}.best"
        while _goes_on(study, budget):
            told(_tried(study, tuner, space, data, _apart(runtime, work / name), best, budget))
        record = json.loads((best / RECORD).read_text(encoding="utf8"))
        judge = replace(tuner, config=replace(tuner.config, **study.best_params))
        record |= {"held_out": judge.judged(data, best, runtime), "search": _trace(study, space, budget, runtime.seed)}
        (best / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf8")
        (best / TRACE).write_text(json.dumps(record["search"], indent=2, ensure_ascii=False), encoding="utf8")
        concluded(runtime, name, record["held_out"])
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(best, out)
    return dict(record)


def searched(config: Any, fixed: Collection[str] = ()) -> Space:
    """The options that say where to search, without those fixed or set; the method first, others hang on it."""
    plain = type(config)()
    found = {
        one.name: one.metadata["search"]
        for one in fields(config)
        if one.metadata.get("search") and one.name not in fixed
        if getattr(config, one.name) == getattr(plain, one.name)
    }
    return {name: found[name] for name in sorted(found, key=lambda name: name != "method")}


def _tried(
    study: optuna.Study, tuner: Any, space: Space, data: Dataset, runtime: Runtime, best: Path, budget: SearchBudget
) -> dict[str, Any]:
    """One trial, begun or begun again, to its row; its folder takes the place of the best one's where it is better."""
    start, work = time.perf_counter(), runtime.work
    assert work
    trial = _asked(study, tuner.config, space, runtime)
    seen = study.trials[trial.number].intermediate_values
    config = _suggested(trial, tuner.config, space)
    config = replace(config, seconds=min(config.seconds, budget.seconds))

    def after(row: Mapping[str, float]) -> None:
        if int(row["epoch"]) not in seen:
            trial.report(row["quality"], int(row["epoch"]))
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        record = replace(tuner, config=config).fit(data, work / "fitted", runtime, told=after, judged=False)
        quality: float | None = max(row["quality"] for row in record["epochs"])
    except optuna.TrialPruned:
        quality = None
    if quality is not None and quality > _best(study):
        shutil.rmtree(best, ignore_errors=True)
        (work / "fitted").rename(best)
    trial.set_user_attr("seconds", round(time.perf_counter() - start, 2))
    shutil.rmtree(work, ignore_errors=True)
    study.tell(trial, quality, state=TrialState.PRUNED if quality is None else TrialState.COMPLETE)
    return _row(study.trials[trial.number])


def _asked(study: optuna.Study, config: Any, space: Space, runtime: Runtime) -> optuna.Trial:
    """The trial that was killed, or the next one. Its random numbers hang on its number alone."""
    killed = study.get_trials(states=(TrialState.RUNNING,))
    number = killed[0].number if killed else len(_done(study))
    seed = int(runtime.rng(f"search.{number}").integers(2**31))
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=RANDOM)
    if killed:
        return optuna.Trial(study, killed[0]._trial_id)
    if not study.trials:
        study.enqueue_trial({name: getattr(config, name) for name in space})
    return study.ask()


def _suggested(trial: optuna.Trial, config: Any, space: Space) -> Any:
    """The options of a trial; those that its method does not read stay as they are."""
    for name, where in space.items():
        if name in _unread(getattr(config, "method", "")):
            continue
        value: Any
        if not isinstance(where, Span):
            value = trial.suggest_categorical(name, where)
        elif isinstance(getattr(config, name), int):
            value = trial.suggest_int(name, int(where.low), int(where.high), log=where.log)
        else:
            value = trial.suggest_float(name, where.low, where.high, log=where.log)
        config = replace(config, **{name: value})
    return config


def _unread(method: str) -> set[str]:
    """The options that other methods read and this one does not."""
    read = METHODS[method].reads if method in METHODS else ()
    return {name for other in METHODS.values() for name in other.reads} - set(read)


def _study(work: Path, name: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    work.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(work / "search.log")))
    pruner = optuna.pruners.MedianPruner(n_startup_trials=RANDOM)
    return optuna.create_study(
        storage=storage, pruner=pruner, study_name=name, direction="maximize", load_if_exists=True
    )


def _goes_on(study: optuna.Study, budget: SearchBudget) -> bool:
    """Whether another trial fits; the first always does."""
    spent = [one.user_attrs["seconds"] for one in _done(study)]
    return not spent or (len(spent) < budget.trials and sum(spent) + max(spent) <= budget.seconds)


def _done(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))


def _best(study: optuna.Study) -> float:
    values = [one.value for one in study.get_trials(states=(TrialState.COMPLETE,))]
    return max((value for value in values if value is not None), default=-math.inf)


def _row(trial: FrozenTrial) -> dict[str, Any]:
    """quality: the best epoch's, also where the trial was pruned."""
    return {
        "trial": trial.number + 1,
        "pruned": trial.state == TrialState.PRUNED,
        "options": trial.params,
        "quality": max(trial.intermediate_values.values()),
        "epochs": len(trial.intermediate_values),
        "seconds": trial.user_attrs["seconds"],
    }


def _trace(study: optuna.Study, space: Space, budget: SearchBudget, seed: int) -> dict[str, Any]:
    declared = {name: value for name, value in asdict(budget).items() if value < math.inf}
    where = {name: asdict(one) if isinstance(one, Span) else list(one) for name, one in space.items()}
    rows = [_row(one) for one in _done(study)]
    return {"budget": declared, "seed": seed, "space": where, "best": study.best_trial.number + 1, "trials": rows}


def _named(config: Any, space: Space, data: Dataset, runtime: Runtime) -> str:
    what = f"{runtime.seed} {sorted(asdict(config).items())} {sorted(space)} {data.fingerprint()}"
    return f"search-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def _apart(runtime: Runtime, work: Path) -> Runtime:
    """The runtime of a trial: checkpoints in a folder of their own, curves where all of them are."""
    return replace(runtime, work=work, curves=runtime.curves or runtime.work)


@contextmanager
def _workplace(runtime: Runtime) -> Iterator[Path]:
    """The work folder, or one that is removed afterwards."""
    if runtime.work:
        yield runtime.work
        return
    with tempfile.TemporaryDirectory(prefix="palate-search-") as folder:
        yield Path(folder)
