"""The options of a retriever, chosen on held-out likes one after the other, within a time."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from palate.config import worth_trying
from palate.contracts import Retriever, Trainer
from palate.data.dataset import Dataset
from palate.runtime import Runtime
from palate.text.values import multi_hot
from palate.train.holdout import quality
from palate.types import Ints, Queries

JUDGES = 2000  # held-out people, at most
EVENTS = 5_000_000  # read in all trials of a part together


@dataclass(frozen=True, eq=False)
class Trial:
    """One setting that was tried.

    options: those that differ from the defaults; quality: NDCG@10 of held-out likes; seconds: to fit and to ask;
    asking: of these, to ask
    """

    part: str
    options: Mapping[str, Any]
    quality: float
    seconds: float
    asking: float


@dataclass(frozen=True, eq=False)
class Found:
    """The best setting of a part, as it was and as it was fitted without the held-out likes, and all trials.

    again: seconds that fitting it on everything takes, about; asking: those of a request
    """

    part: Any
    fitted: Retriever
    trials: tuple[Trial, ...]
    again: float
    asking: float


def chosen(part: Any, rest: Dataset, queries: Queries, targets: Ints, runtime: Runtime, seconds: float) -> Found:
    """The part with the options that rank held-out likes best.

    Coordinate search: the values that options declare as worth trying, one after the other, each kept only if it is
    better. The larger the data the fewer are tried, and none that would likely leave too little of `seconds` for
    fitting the part once more.
    """
    queries, targets = queries.take(slice(0, JUDGES)), targets[:JUDGES]
    start = time.perf_counter()

    def tried(part: Any, fit: Callable[[], Any]) -> tuple[Any, Trial]:
        begun = time.perf_counter()
        model = fit()
        ready = time.perf_counter()
        found = float(quality(model.retrieve(queries, 10), targets).mean())
        end = time.perf_counter()
        return model, Trial(type(part).__name__, _changed(part.config), found, end - begun, end - ready)

    best = part = within(part, seconds)
    fitted, trial = tried(part, partial(part.fit, rest, runtime))
    trials, again, ask = [trial], trial.seconds - trial.asking, trial.asking
    choices = worth_trying(part.config, lambda: multi_hot(rest.items).nnz > 0)
    for name, value, asking in choices[: EVENTS // max(len(rest.events), 1)]:
        if time.perf_counter() - start + 2 * max(one.seconds for one in trials) > seconds:
            break
        other = replace(best, config=replace(best.config, **{name: value}))
        refit = partial(replace, fitted, config=other.config) if asking else partial(other.fit, rest, runtime)
        model, trial = tried(other, refit)
        if trial.quality > max(one.quality for one in trials):
            best, fitted, ask = other, model, trial.asking
            again = again if asking else trial.seconds - trial.asking
        trials.append(trial)
    if isinstance(best, Trainer) and again < seconds:
        again = min(again, seconds - again)
    return Found(best, fitted, tuple(trials), again, ask / max(len(queries), 1))


def within(part: Any, seconds: float) -> Any:
    """The part, told how long it may train where it trains."""
    return part.within(seconds) if isinstance(part, Trainer) and seconds < math.inf else part


def has_choices(part: Any) -> bool:
    """Whether any option of a part declares values worth trying."""
    return bool(worth_trying(part.config))


def _changed(config: Any) -> dict[str, Any]:
    """The options that are not at their defaults."""
    plain = vars(type(config)())
    return {name: value for name, value in vars(config).items() if value != plain[name]}
