"""A fitted recommender and a strength of Diversify to what each setting costs and gives, on validation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from palate.data.dataset import Dataset
from palate.data.split import Split
from palate.evaluation.compare import Interval, intervals
from palate.evaluation.conclusions import plus
from palate.evaluation.lists import words
from palate.evaluation.ranking import answered
from palate.evaluation.result import Trade, TradePoint
from palate.metrics.accuracy import NDCG
from palate.metrics.beyond import coverage, diversity, exposure, miscalibration, novelty
from palate.pipeline import Recommender
from palate.rank.diversify import Diversify
from palate.rank.values import column, value_shares
from palate.runtime import Runtime
from palate.types import Queries, Slate

STEPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """One strength at every step, the other options as they are.

    option: one of `palate.rank.diversify.STRENGTHS`.
    ranker: not yet fitted, the option at more than 0, so that fitting makes what it needs.
    """

    option: str
    ranker: Diversify

    def over(self, recipe: str, model: Recommender, cut: Split, k: int, runtime: Runtime) -> Trade:
        """A fitted model's validation lists at each step: it is asked once, its candidates are ordered anew."""
        bare = replace(model, rankers=tuple(one for one in model.rankers if not isinstance(one, Diversify)))
        asked, queries = cut.validation, cut.validation.queries()
        width = max(k, bare.breadth) if asked.candidates is None else asked.candidates.shape[1]
        pool = answered(bare, asked, width, runtime)
        fitted = self.ranker.fit(cut.train, runtime)
        slates = [self._at(step, fitted).rank(queries, pool).top(k) for step in STEPS]
        accuracy = np.stack([NDCG(k).per_user(slate, asked.truth) for slate in slates], axis=1)  # (Q, steps)
        means = intervals(accuracy, runtime.rng("bootstrap"))
        changes = intervals(accuracy - accuracy[:, :1], runtime.rng("bootstrap"))
        gains = _measured(slates, queries, cut.train, fitted.config.attribute, runtime)
        covered = [coverage(exposure(slate, cut.train.n_items)) for slate in slates]
        return Trade(recipe, self.option, tuple(map(TradePoint, STEPS, means, changes, gains, covered)))

    def _at(self, step: float, fitted: Diversify) -> Diversify:
        strength: dict[str, Any] = {self.option: step}
        return replace(fitted, config=replace(fitted.config, **strength))


def concluded(trade: Trade, metric: str) -> str:
    """Up to which step no loss is shown, and what it gives; or that the first step costs already."""
    start, *steps = trade.points
    if not start.accuracy.n:
        return f"{trade.recipe} with {trade.option}: no user could be asked on validation."
    free = 0
    while free < len(steps) and not steps[free].change.high < 0:
        free += 1
    point = steps[max(free - 1, 0)]
    said = (
        f"up to {point.strength:g} no loss of {metric.upper()} is shown"
        if free
        else f"{point.strength:g} costs already"
    )
    gains = [(name, value.mean, point.gains[name].mean) for name, value in start.gains.items()]
    gains += [("coverage", start.coverage, point.coverage)]
    given = ", ".join(f"{name} {before:.3f} to {after:.3f}" for name, before, after in gains)
    return f"{trade.recipe} with {trade.option} on validation: {said}, {plus(point.change)}; {given}."


def _measured(
    slates: Sequence[Slate], queries: Queries, train: Dataset, attribute: str, runtime: Runtime
) -> list[dict[str, Interval]]:
    """For each slate diversity by words, novelty and, where items have values, the calibration error."""
    vectors, counts = words(train.items), np.bincount(train.events.item, minlength=train.n_items)
    shares = value_shares(train.items, attribute) if any(map(str.strip, column(train.items, attribute))) else None
    found = []
    for slate in slates:
        values = {"diversity": diversity(slate, vectors), "novelty": novelty(slate, counts, train.n_users)}
        if shares is not None:
            values["calibration error"] = miscalibration(slate, queries.histories, shares)
        spread = intervals(np.stack(list(values.values()), axis=1), runtime.rng("bootstrap"))
        found.append(dict(zip(values, spread, strict=True)))
    return found
