"""A candidate and the live version to a verdict: may it take the other's place? (Do no harm.)

Both answer for the same people, whose newest likes neither was trained on; popularity stands beside them as the floor.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

import numpy as np

from palate import build
from palate.config import option, options
from palate.data.dataset import Dataset
from palate.data.split import Holdout, held_out, split
from palate.errors import PalateError
from palate.evaluation.compare import Interval, intervals
from palate.evaluation.result import built, plain
from palate.metrics.accuracy import NDCG, HitRate, Recall
from palate.model import Model
from palate.pipeline import Recommender
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.serve.soundness import empty_lists, latencies, missing_items, shown, unsound
from palate.types import Floats, Longs, Queries

Verdict = Literal["passed", "refused", "undecided"]

FLOOR = "popular"


@options
class GateConfig:
    k: int = option(10, "Length of the lists that are judged.", low=1)
    people: int = option(2000, "People judged, at most, drawn by the seed.", low=1)
    enough: int = option(20, "Fewer people decide nothing.", low=2)
    tolerance: float = option(
        0.1, "A loss of this share of the live version's accuracy must be ruled out by the interval.", low=0.0, high=1.0
    )
    requests: int = option(50, "People whose lists are looked at for what is unsound, and timed.", low=1)
    slower: float = option(3.0, "So many times the live version's median latency is too slow.", low=1.0)
    quick_ms: float = option(10.0, "An answer within so many milliseconds is never too slow.", low=0.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the gate found.

    verdict: "passed"; "refused" where something is shown to be wrong or worse; "undecided" where nothing is shown.
    reasons: why it did not pass; notes: what a reader should know besides.
    people: how many were judged; data: the fingerprint of the log that they are in; live: the version compared with.
    metrics: of "candidate", "live" and "popular", means with 95 % intervals over people, by metric.
    differences: the candidate's main metric minus the other's, paired over people.
    latency_ms: the median of one answer.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    protocol: str
    metric: str
    people: int
    data: str
    live: str = ""
    metrics: dict[str, dict[str, Interval]] = field(default_factory=dict)
    differences: dict[str, Interval] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"

    def as_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return cast(dict[str, Any], plain(dataclasses.asdict(self)))

    @staticmethod
    def of_plain(node: Mapping[str, Any]) -> "Outcome":
        """The opposite of `as_plain`."""
        return cast(Outcome, built(Outcome, node))


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """People with likes to be found, the models that are asked, and in words what that compares.

    holdout: nobody where nothing can be judged; told: the protocol, or why there is none.
    """

    holdout: Holdout
    models: Mapping[str, Model]
    told: str
    notes: tuple[str, ...] = ()


def judge(
    candidate: Model,
    live: Model | None,
    data: Dataset,
    config: GateConfig | None = None,
    *,
    name: str = "",
    refit: bool = False,
    runtime: Runtime | None = None,
) -> Outcome:
    """Whether a candidate may take the place of the live version, or stand alone where there is none.

    data: the whole log, which the histories come from too. Judged are likes in it that are newer than everything that
        candidate and live were trained on, so that neither has seen an answer. Without times: likes of which neither
        was trained on the pair of person and item.
    name: what the live version is called in the outcome.
    refit: judge the two recipes instead, fitted again on the older part of `data`, for a candidate that was trained
        on everything; this may take as long as training did.

    A candidate is refused where its lists or scores are unsound, where it lacks items, is too slow or shows nothing,
    and where it is shown to be less accurate than the live version or popularity: the whole 95 % interval of the paired
    difference lies below 0. It passes where the interval rules out a loss of `tolerance`. All else is undecided.
    """
    runtime, config = runtime or Runtime(), config or GateConfig()
    people = np.sort(runtime.rng("gate requests").permutation(data.n_users)[: config.requests])
    queries = data.queries(people)
    broken: tuple[str, ...] = ()
    if live and (found := unsound(live, data, queries, config.k)):
        live, broken = None, (f"The live version is unsound itself, so nothing is compared with it. {' '.join(found)}",)
    models = {"candidate": candidate} | ({"live": live} if live else {})
    faults, latency = _faults(models, data, queries, config)
    metric = NDCG(config.k).name
    outcome = Outcome("refused", faults, broken, "", metric, 0, data.fingerprint(), name, latency_ms=latency)
    if not latency:  # it cannot be asked
        return outcome
    exam = _refitted(models, data, runtime) if refit else _newest(models, data)
    if not len(exam.holdout):
        return replace(outcome, verdict="refused" if faults else "undecided", reasons=(*faults, exam.told))
    exam = replace(exam, holdout=_drawn(exam.holdout, config.people, runtime))
    outcome = replace(outcome, notes=broken + exam.notes, protocol=exam.told)
    outcome = _measured(outcome, exam, config.k, runtime)
    outcome = replace(outcome, **_decided(outcome, config))
    return replace(outcome, verdict="refused", reasons=(*faults, *outcome.reasons)) if faults else outcome


def _decided(outcome: Outcome, config: GateConfig) -> dict[str, Any]:
    """The verdict that numbers alone give, with its reasons and further notes."""
    if outcome.people < config.enough:
        few = f"Only {outcome.people} people have likes to be judged by; it takes {config.enough}."
        return {"verdict": "undecided", "reasons": (few,)}
    worse = tuple(
        f"Less accurate than {_other(outcome, other)}: {_told(outcome, other)}."
        for other, difference in outcome.differences.items()
        if difference.high < 0
    )
    notes = outcome.notes
    if not outcome.differences[FLOOR].low > 0:
        notes += (f"Not shown to be better than popularity: {_told(outcome, FLOOR)}.",)
    if worse:
        return {"verdict": "refused", "reasons": worse, "notes": notes}
    if "live" in outcome.differences:
        reference = outcome.metrics["live"][outcome.metric].mean
        if outcome.differences["live"].low < -config.tolerance * reference:
            open_ = f"A loss of {config.tolerance:.0%} against {_other(outcome, 'live')} is not ruled out: "
            open_ += f"{_told(outcome, 'live')}. Judge it on more people, or on a small share of them as a canary."
            return {"verdict": "undecided", "reasons": (open_,), "notes": notes}
    return {"verdict": "passed", "reasons": (), "notes": notes}


def _other(outcome: Outcome, other: str) -> str:
    return "popularity" if other == FLOOR else f"the live version {outcome.live}".strip()


def _told(outcome: Outcome, other: str) -> str:
    mine, others = (outcome.metrics[who][outcome.metric].mean for who in ("candidate", other))
    difference = outcome.differences[other]
    span = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return f"{outcome.metric} {mine:.4f} against {others:.4f}, difference {difference.mean:+.4f} {span}"


def _faults(
    models: Mapping[str, Model], data: Dataset, queries: Queries, config: GateConfig
) -> tuple[tuple[str, ...], dict[str, float]]:
    """What is wrong with the candidate apart from accuracy, and median latencies."""
    candidate, live = models["candidate"], models.get("live")
    faults = []
    if live and (lacking := missing_items(candidate, live, data)):
        some = ", ".join(lacking[:3])
        faults.append(f"{len(lacking)} items that the live version knows are not in its catalogue, such as {some}.")
    faults += unsound(candidate, data, queries, config.k)
    if faults:
        return tuple(faults), {}
    empty = {name: empty_lists(model, data, queries, config.k) for name, model in models.items()}
    if empty["candidate"] > empty.get("live", 0):
        others = f", where the live version shows nothing to {empty['live']}" if live else ""
        faults.append(f"{empty['candidate']} of {len(queries)} people are shown nothing{others}.")
    took = latencies(models, data, queries, config.k)
    limit = max(config.quick_ms, config.slower * took.get("live", np.inf))
    if took["candidate"] > limit:
        faults.append(
            f"Too slow: the median answer takes {took['candidate']:.1f} ms, that of the live version "
            f"{took['live']:.1f} ms, on the same {len(queries)} requests."
        )
    return tuple(faults), took


def _newest(models: Mapping[str, Model], data: Dataset) -> Exam:
    """The likes that are newer than what any of the models was trained on."""
    events = data.events
    trained = np.concatenate([_pairs(model, data) for model in models.values()])
    fresh = ~np.isin(events.user.astype(np.int64) * data.n_items + events.item, trained)
    known, since = ~fresh, ""
    notes: tuple[str, ...] = ("Not every log has times: the likes that judge need not be newer than what taught.",)
    if all(log.clock == "time" for log in (events, *(model.data.events for model in models.values()))):
        ends = {name: float(model.data.events.time.max(initial=-np.inf)) for name, model in models.items()}
        last = max(ends, key=lambda name: ends[name])
        known, notes = events.time <= ends[last], ()
        since = f" after {_day(ends[last])}, when the data of the {last} version end,"
    holdout = held_out(data, known, ~known & fresh)
    if not len(holdout):
        ways = "bring newer events, train the candidate without the newest ones, or have both recipes fitted again"
        told = f"No likes{since} that no version was trained on, so nothing can be judged: {ways} (refit)."
        return Exam(holdout, models, told)
    told = f"likes{since} that no version was trained on; the same people for all, who rank every item they had not had"
    return Exam(holdout, models, told, notes + _strange(holdout, models, data))


def _strange(holdout: Holdout, models: Mapping[str, Model], data: Dataset) -> tuple[str, ...]:
    """How many of the likes are of items that a version does not know and cannot show."""
    counts = {}
    for name, model in models.items():
        known = np.array([item in model.data.items.ids for item in data.items.ids.ids], np.bool_)
        counts[name] = int((~known[holdout.truth.values]).sum())
    total = len(holdout.truth.values)
    return tuple(f"{n} of {total} likes are of items that the {name} does not know." for name, n in counts.items() if n)


def _refitted(models: Mapping[str, Model], data: Dataset, runtime: Runtime) -> Exam:
    """The recipes of the models fitted on the train part of a fresh split, to be judged by its test likes."""
    cut = split(data, "time", runtime)
    nobody = held_out(data, np.ones(len(data.events), np.bool_), np.zeros(len(data.events), np.bool_))
    again = {}
    for name, model in models.items():
        try:
            again[name] = _fitted_again(model, cut.train)
        except PalateError as error:
            return Exam(nobody, {}, f"The recipe of the {name} version cannot be fitted again: {error}.")
    told = f"recipes fitted again on the older part of the log, not the versions themselves; {' '.join(cut.notes)}"
    kinds = [{key: model.about.get(key) for key in _RECIPE} for model in models.values()]
    same = "Both versions have the same recipe, so this compares it with itself."
    notes = (same,) if len(kinds) == 2 and kinds[0] == kinds[1] else ()
    return Exam(cut.test, again, told, notes)


_RECIPE = ("recipe", "encoder", "diversify", "newcomers", "llm", "ranker")


def _fitted_again(model: Model, train: Dataset) -> Model:
    known = {key: model.about[key] for key in _RECIPE[1:] if key in model.about}
    runtime = Runtime(seed=int(model.about.get("seed", 0)))
    recommender = build.fit(str(model.about.get("recipe", "")), train, runtime, **known)
    return Model(train, recommender, model.about)


def _drawn(holdout: Holdout, n: int, runtime: Runtime) -> Holdout:
    rows = np.sort(runtime.rng("gate people").permutation(len(holdout))[:n])
    return replace(holdout, users=holdout.users[rows], truth=holdout.truth.take(rows))


def _measured(outcome: Outcome, exam: Exam, k: int, runtime: Runtime) -> Outcome:
    """The outcome with metrics and paired differences of everybody who is asked."""
    queries, data = exam.holdout.queries(), exam.holdout.known
    floor = Model(data, Recommender(Popular().fit(data, runtime)))
    metrics = (NDCG(k), Recall(k), HitRate(k))
    values: dict[str, Floats] = {}
    for name, model in {**exam.models, FLOOR: floor}.items():
        slate = shown(model, data, queries, k)
        values[name] = np.stack([metric.per_user(slate, exam.holdout.truth) for metric in metrics], axis=1)
    names: Sequence[str] = [metric.name for metric in metrics]
    others = [name for name in values if name != "candidate"]
    paired = np.stack([values["candidate"][:, 0] - values[name][:, 0] for name in others], axis=1)
    means = {name: intervals(each, runtime.rng("bootstrap")) for name, each in values.items()}
    return replace(
        outcome,
        people=len(queries),
        metrics={name: dict(zip(names, each, strict=True)) for name, each in means.items()},
        differences=dict(zip(others, intervals(paired, runtime.rng("bootstrap")), strict=True)),
    )


def _pairs(model: Model, data: Dataset) -> Longs:
    """(E,) person and item of what a model was trained on, as one number in the rows of `data`."""
    events = model.data.events
    users = data.users.ids.rows(model.data.users.ids.ids).astype(np.int64)[events.user]
    items = data.items.ids.rows(model.data.items.ids.ids).astype(np.int64)[events.item]
    pairs: Longs = (users * data.n_items + items)[(users >= 0) & (items >= 0)]
    return pairs


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M UTC") if np.isfinite(time) else "the beginning"
