"""A Dataset and recipes to an Experiment: split, audit, fit, ask once, compare, conclude."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from palate.build import decisions
from palate.contracts import Metric
from palate.data.audit import audit, refuse_leaks
from palate.data.dataset import Dataset
from palate.data.split import Split
from palate.data.split import split as split_named
from palate.evaluation import lists, pairs
from palate.evaluation.compare import Interval, holm, intervals, paired_p
from palate.evaluation.conclusions import conclude
from palate.evaluation.cost import Cost, measured
from palate.evaluation.decisions import sentences
from palate.evaluation.environment import environment
from palate.evaluation.pairs import Pairs
from palate.evaluation.ranking import answered, sampled_candidates
from palate.evaluation.result import Comparison, Experiment, PairResult, RecipeResult, SliceResult, Trade
from palate.evaluation.slices import Slice, slices
from palate.evaluation.trade import Sweep, concluded
from palate.metrics.accuracy import MAP, MRR, NDCG, HitRate, Precision, Recall
from palate.pipeline import Recommender
from palate.runtime import Runtime
from palate.types import Floats, Ragged, Slate

FLOOR = "popular"  # the trivial rule that stands in every table
TUNING = "every recipe chose its options on likes held out of train, none on validation or test"
Fit = Callable[[str, Dataset, Runtime], Recommender]


def experiment(
    data: Dataset,
    recipes: Sequence[str],
    *,
    fit: Fit,
    split: str | Split = "time",
    k: int = 10,
    candidates: int | None = None,
    budget: str = TUNING,
    sweep: Sweep | None = None,
    runtime: Runtime | None = None,
) -> Experiment:
    """Compare recipes on held-out events.

    Every recipe is fitted on train alone, asked once for validation and once for test, and ranks everything the user
    has not had. "popular" is in the table whether asked for or not.

    split: a name, or a cut of `data` made already, which may bring candidates of its own.
    candidates: rank only the first answer among this many random items, to match a published protocol.
    budget: the tuning that every recipe got, as a sentence.
    sweep: also draw the trade of a strength for every recipe asked for, on validation.

    Raises LeakError where the audit refuses the split.
    """
    runtime = runtime or Runtime()
    cut = _cut(data, split, candidates, runtime)
    findings = audit(cut)
    refuse_leaks(findings)
    exam = Exam(cut, k, NDCG(k), slices(cut.test, cut.train), pairs.labelled_pairs(cut.test), runtime, sweep)
    trials = [exam.trial(recipe, fit, recipe in recipes) for recipe in dict.fromkeys([FLOOR, *recipes])]
    results = tuple(trial.result for trial in trials)
    comparisons = _comparisons({trial.result.recipe: trial.columns for trial in trials}, exam.parts, runtime)
    trades = tuple(trial.trade for trial in trials if trial.trade)
    judged = exam.judged({trial.result.recipe: trial.on_pairs for trial in trials})
    return Experiment(
        metric=exam.metric.name,
        k=k,
        seed=runtime.seed,
        split=cut.name,
        protocol=_protocol(cut),
        budget=budget,
        notes=data.notes + cut.notes,
        data=counted(data, cut),
        environment=environment(),
        findings=findings,
        warnings=cautions(cut),
        recipes=results,
        pairs=judged,
        comparisons=comparisons,
        conclusions=(
            *conclude(exam.metric.name, results, comparisons, judged),
            *(concluded(trade, exam.metric.name) for trade in trades),
        ),
        frame=data.frame,
        trades=trades,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A recipe's result, its main metric per test user on everything and on each slice (Q, 1 + slices), its
    scores of the labelled pairs (N,), and its trade where one was asked for."""

    result: RecipeResult
    columns: Floats
    on_pairs: Floats
    trade: Trade | None


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What every recipe is asked, the same for all.

    metric: the main one, which recipes are compared by, on the whole test and on its `parts`.
    """

    cut: Split
    k: int
    metric: Metric
    parts: tuple[Slice, ...]
    labelled: Pairs
    runtime: Runtime
    sweep: Sweep | None = None

    def trial(self, recipe: str, fit: Fit, asked: bool) -> Trial:
        """Fit one recipe and ask it everything; the model is let go afterwards."""
        model, cost = measured(lambda: fit(recipe, self.cut.train, self.runtime))
        return self.answered(recipe, model, cost, asked)

    def answered(self, recipe: str, model: Recommender, fit_cost: Cost, asked: bool = True) -> Trial:
        """Ask a recommender that was fitted on train everything."""
        train, validation, test, runtime = self.cut.train, self.cut.validation, self.cut.test, self.runtime
        slate, ask_cost = measured(lambda: answered(model, test, self.k, runtime))
        truths = [test.truth, *(part.truth for part in self.parts)]
        columns = np.stack([self.metric.per_user(slate, one) for one in truths], axis=1)
        in_parts = intervals(columns, runtime.rng("bootstrap"))[1:]
        result = RecipeResult(
            recipe=recipe,
            asked=asked,
            fit=fit_cost,
            recommend=ask_cost,
            validation=self._accuracy(answered(model, validation, self.k, runtime), validation.truth),
            test=self._accuracy(slate, test.truth),
            slices=tuple(SliceResult(p.group, p.name, v) for p, v in zip(self.parts, in_parts, strict=True)),
            beyond=lists.per_user(slate, test.queries(), train, runtime),
            catalogue=lists.together(slate, train, test.users, columns[:, 0]),
            decisions=tuple(sentences(decisions(model))),
        )
        trade = self.sweep.over(recipe, model, self.cut, self.k, runtime) if self.sweep and asked else None
        return Trial(result, columns, pairs.recommender_scores(model, self.labelled, test, runtime), trade)

    def judged(self, scores: Mapping[str, Floats]) -> tuple[PairResult, ...]:
        """Recipes and the rules that only count, on labelled pairs."""
        if not len(self.labelled):
            return ()
        rules = {
            "item mean + user mean": pairs.mean_rule(self.cut.train.events, self.labelled),
            "liked share of history": pairs.liked_share_rule(self.cut.test.known.events, self.labelled),
        }
        return pairs.judged(self.labelled, scores, rules, self.runtime)

    def _accuracy(self, slate: Slate, truth: Ragged) -> dict[str, Interval]:
        """Each metric's mean and interval."""
        metrics = [kind(self.k) for kind in (NDCG, Recall, HitRate, Precision, MRR, MAP)]
        values = np.stack([metric.per_user(slate, truth) for metric in metrics], axis=1)
        found = intervals(values, self.runtime.rng("bootstrap"))
        return {metric.name: value for metric, value in zip(metrics, found, strict=True)}


def _comparisons(columns: Mapping[str, Floats], parts: Sequence[Slice], runtime: Runtime) -> tuple[Comparison, ...]:
    """The better of each two recipes minus the other on the whole test, and the best minus each other on slices;
    two families for Holm."""
    ordered = sorted(columns, key=lambda recipe: -_mean(columns[recipe][:, 0]))
    whole, sliced = [], []
    for a, b in itertools.combinations(ordered, 2):
        differences = (columns[a] - columns[b])[:, : None if a == ordered[0] else 1]
        between = intervals(differences, runtime.rng("bootstrap"))
        ps = [paired_p(column, runtime.rng("permutation")) for column in differences.T]
        whole.append(Comparison(a, b, "all", "all users", between[0], ps[0], ps[0]))
        on_slices = zip(parts, between[1:], ps[1:], strict=False)
        sliced += [Comparison(a, b, part.group, part.name, value, p, p) for part, value, p in on_slices]
    return (*_corrected(whole), *_corrected(sliced))


def _corrected(family: Sequence[Comparison]) -> list[Comparison]:
    corrected = holm([one.p for one in family])
    return [replace(one, p_holm=p) for one, p in zip(family, corrected, strict=True)]


def _cut(data: Dataset, split: str | Split, candidates: int | None, runtime: Runtime) -> Split:
    """The split, with candidates drawn where they are asked for."""
    cut = split if isinstance(split, Split) else split_named(data, split, runtime)
    if candidates is None:
        return cut
    validation = sampled_candidates(cut.validation, candidates, runtime.rng("validation candidates"))
    return replace(
        cut, validation=validation, test=sampled_candidates(cut.test, candidates, runtime.rng("test candidates"))
    )


def _protocol(cut: Split) -> str:
    if cut.test.candidates is None:
        return "every item the user has not had is ranked; models see train, test histories include validation events"
    others = cut.test.candidates.shape[1] - 1
    return f"one answer among {others} other items the user has not had; models see train, histories also validation"


def counted(data: Dataset, cut: Split) -> dict[str, str]:
    """How much there is of everything, and the hash of the data."""
    return {
        "users": f"{data.n_users:,}",
        "items": f"{data.n_items:,}",
        "events": f"{len(data.events):,}",
        "liked": f"{int(data.events.liked.sum()):,}",
        "train events": f"{len(cut.train.events):,}",
        "validation users": f"{len(cut.validation):,}",
        "test users": f"{len(cut.test):,}",
        "sha256": data.fingerprint(),
    }


def cautions(cut: Split) -> tuple[str, ...]:
    """What a reader must know before believing numbers on this split."""
    found = []
    if cut.test.candidates is not None:
        found.append(
            f"Only {cut.test.candidates.shape[1]} candidates per user were ranked. Such numbers are far higher than "
            "full ranking and can order systems differently; use them only beside a table with the same protocol."
        )
    if len(cut.test) < 100:
        found.append(f"Only {len(cut.test)} users could be tested; expect wide intervals.")
    return tuple(found)


def _mean(values: Floats) -> float:
    told = values[~np.isnan(values)]
    return float(told.mean()) if len(told) else 0.0
