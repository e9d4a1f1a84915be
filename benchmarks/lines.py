"""Rows of several seeds to one line per recipe, and the best of ours to its comparisons with every other line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.rows import About, Row
from palate.evaluation.compare import Interval, holm, interval, intervals, paired_p
from palate.evaluation.result import Comparison, SliceResult
from palate.types import Floats


@dataclass(frozen=True)
class Line:
    """A recipe over its seeds.

    value: the main metric of each user's mean over the seeds, with its interval over users.
    between: the standard deviation of the seeds' means (divisor n - 1), nan with one seed.
    validation: the mean of the main metric there, nan where nothing was asked. test: other metrics, means over seeds.
    fit_s, test_s: of the quickest seed, as others may have had other programs beside them; peak_mb: the highest.
    """

    recipe: str
    peer: bool
    seeds: tuple[int, ...]
    seedless: bool
    value: Interval
    between: float
    validation: float
    test: dict[str, float]
    slices: tuple[SliceResult, ...]
    coverage: float
    fit_s: float
    test_s: float
    peak_mb: float


def lines(rows: Sequence[Row], columns: Mapping[str, Floats], about: About) -> list[Line]:
    """A line for each recipe, best first."""
    found = []
    for recipe in dict.fromkeys(row.recipe for row in rows):
        own = [row for row in rows if row.recipe == recipe]
        results = [row.result for row in own]
        values = intervals(averaged(own, columns), _rng())
        means = [float(np.nanmean(columns[row.key][:, 0])) for row in own]
        named = zip(about.parts, values[1:], strict=True)
        found.append(
            Line(
                recipe=recipe,
                peer=own[0].peer,
                seeds=tuple(row.seed for row in own),
                seedless=own[0].seedless,
                value=values[0],
                between=float(np.std(means, ddof=1)) if len(own) > 1 else float("nan"),
                validation=_mean([one.validation[about.metric].mean for one in results]),
                test={name: _mean([one.test[name].mean for one in results]) for name in results[0].test},
                slices=tuple(SliceResult(group, name, value) for (group, name), value in named),
                coverage=_mean([one.catalogue["coverage"] for one in results]),
                fit_s=min(one.fit.seconds for one in results),
                test_s=min(one.recommend.seconds for one in results),
                peak_mb=max(max(one.fit.peak_mb, one.recommend.peak_mb) for one in results),
            )
        )
    return sorted(found, key=lambda line: -line.value.mean)


def against_best(found: Sequence[Line], rows: Sequence[Row], columns: Mapping[str, Floats]) -> tuple[Comparison, ...]:
    """The best of ours on the whole test minus every other line, paired over users; one family for Holm."""
    ours = [line.recipe for line in found if not line.peer]
    if not ours:
        return ()
    values = {
        line.recipe: averaged([row for row in rows if row.recipe == line.recipe], columns)[:, 0] for line in found
    }
    best, others = ours[0], [line.recipe for line in found if line.recipe != ours[0]]
    differences = [values[best] - values[other] for other in others]
    ps = [paired_p(one, _rng()) for one in differences]
    return tuple(
        Comparison(best, other, "all", "all users", interval(one, _rng()), p, corrected)
        for other, one, p, corrected in zip(others, differences, ps, holm(ps), strict=True)
    )


def averaged(rows: Sequence[Row], columns: Mapping[str, Floats]) -> Floats:
    """(Q, 1 + slices) each user's mean over the seeds."""
    values = np.stack([columns[row.key] for row in rows])
    mean: Floats = values.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _rng() -> np.random.Generator:
    """The same resamples for every line and comparison."""
    return np.random.default_rng(0)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
