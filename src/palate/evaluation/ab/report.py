"""Logs of what was shown and done to a report on a test: each arm against the control, and interleaved rankers."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl

from palate.config import option, options
from palate.errors import ConfigError, DataError
from palate.evaluation.ab.arms import MISMATCH, checked, mismatch_p
from palate.evaluation.ab.attribution import Attributed, AttributionConfig, attribute
from palate.evaluation.ab.conclusions import conclude, warn
from palate.evaluation.ab.result import AbReport, Arm, Course, Difference, Interleaved, Verdict
from palate.evaluation.compare import Interval, holm
from palate.evaluation.interleaving import preference
from palate.evaluation.result import SIGNIFICANT
from palate.evaluation.sequential import PLANNED, Doubles, Path, difference_path, fixed_difference, mean
from palate.types import Bools

LEAST = 30  # settled users in each arm, before which nothing is concluded
_POINTS = 200  # of a course


@options
class AbConfig(AttributionConfig):
    control: str = option("", 'The arm that others are compared with; empty: "control", or the first by name.')
    planned: int = option(PLANNED, "Settled users at which intervals are tightest; choose it before the test.", low=1)


def ab_report(
    exposures: Any,
    events: Any,
    config: AbConfig | None = None,
    *,
    shares: Mapping[str, float] | None = None,
    now: float | None = None,
) -> AbReport:
    """Compare the arms of a test, each with the control, and the two rankers of interleaved lists.

    exposures, events: polars or pandas frames, see `palate.evaluation.ab.shown`.
    shares: the planned share of users in each arm; equal ones if not given.
    now: unix seconds up to which the logs are complete; the last time in them if not given.

    The unit is the user, as users were assigned: each has one number in each metric. `conversion`: 1 if an event
    belongs to a list, else 0. `hits per list`: the mean over the user's lists of how many of their items were acted
    on, so that every user counts the same, however many lists they saw. `value per user`: the sum of their events.

    Raises DataError for frames that cannot be used, ConfigError for options that do not fit them.
    """
    config = config or AbConfig()
    found = attribute(exposures, events, config, now)
    planned = _shares(found, shares)
    control = _control(config.control, planned)
    arms = tuple(_arm(name, share, found, config.planned) for name, share in planned.items())
    mismatch = mismatch_p({arm.name: arm.users for arm in arms}, planned)
    differences = _differences(found, arms, control, config.planned, trusted=mismatch >= MISMATCH)
    interleaved = _interleaved(found, config.planned)
    return AbReport(
        options=asdict(config),
        control=control,
        arms=arms,
        mismatch_p=mismatch,
        counts=found.counts,
        differences=differences,
        interleaved=interleaved,
        warnings=warn(arms, found.counts),
        conclusions=conclude(arms, mismatch, differences, interleaved),
    )


def _shares(found: Attributed, shares: Mapping[str, float] | None) -> dict[str, float]:
    """The planned share of each arm."""
    names = found.users["arm"].unique().sort().to_list()
    if shares is not None:
        unplanned = [name for name in names if name not in shares]
        if unplanned:
            raise ConfigError(f"shares: none for {', '.join(unplanned)}, which exposures have; give every arm one")
        return checked(shares)
    if len(names) < 2 and not (names and found.teams):
        raise DataError(f"exposures: {len(names)} arms with users of their own; a test has two or more")
    return dict.fromkeys(names, 1 / len(names))


def _control(wanted: str, planned: Mapping[str, float]) -> str:
    if wanted and wanted not in planned:
        raise ConfigError(f'control: "{wanted}" is no arm; there are: {", ".join(planned)}')
    return wanted or ("control" if "control" in planned else min(planned))


def _arm(name: str, share: float, found: Attributed, planned: int) -> Arm:
    members = found.users.filter(pl.col("arm") == name)
    settled = members.filter(pl.col("settled"))
    values = {metric: mean(column, planned)[0] for metric, column in _outcomes(settled, found.has_value).items()}
    return Arm(name, share, len(members), len(settled), int(settled["lists"].sum()), values)


def _outcomes(settled: pl.DataFrame, has_value: bool) -> dict[str, Doubles]:
    """Metric to one number for each settled user (N,), in the order in which they came."""
    lists, hits = (settled[name].cast(pl.Float64).to_numpy() for name in ("lists", "hits"))
    found: dict[str, Doubles] = {"conversion": (hits > 0).astype(np.float64), "hits per list": hits / lists}
    return found | ({"value per user": settled["value"].to_numpy()} if has_value else {})


def _differences(
    found: Attributed, arms: tuple[Arm, ...], control: str, planned: int, *, trusted: bool
) -> tuple[Difference, ...]:
    """Every arm less the control in every metric; p-values corrected for all of them."""
    size = {arm.name: arm.settled for arm in arms}
    told = [one for arm in size if arm != control for one in _against(found, arm, control, planned)]
    verdicts = []
    for one, p in zip(told, holm([one.p for one in told]), strict=True):
        enough = trusted and min(size[one.arm], size[control]) >= LEAST
        verdicts.append(replace(one, p_holm=p, verdict=_verdict(one.difference, p, enough)))
    return tuple(verdicts)


def _against(found: Attributed, arm: str, control: str, planned: int) -> Iterator[Difference]:
    """An arm less the control in every metric, p-values not corrected and nothing concluded yet."""
    pair = found.users.filter(pl.col("settled") & pl.col("arm").is_in([arm, control]))
    treated = (pair["arm"] == arm).to_numpy()
    for metric, column in _outcomes(pair, found.has_value).items():
        path = difference_path(column, treated, planned)
        fixed = fixed_difference(column[treated], column[~treated])
        course, p = _course(path, treated), path.last_p
        yield Difference(metric, arm, control, path.last, p, p, fixed, "not concluded", course)


def _verdict(difference: Interval, p: float, told: bool) -> Verdict:
    if not told:
        return "not concluded"
    if p >= SIGNIFICANT or not difference.excludes_zero:
        return "no difference shown"
    return "ahead" if difference.mean > 0 else "behind"


def _course(path: Path, treated: Bools) -> Course:
    """Points of a path from where it may be concluded from, the last one always."""
    n = np.arange(1, len(treated) + 1)
    members = np.cumsum(treated)
    enough = np.flatnonzero((np.minimum(members, n - members) >= LEAST) & ~np.isnan(path.low))
    at = enough[np.linspace(0, max(len(enough) - 1, 0), min(len(enough), _POINTS)).astype(np.int64)]
    return Course(*(tuple(one[at].tolist()) for one in (n, path.mean, path.low, path.high)))


def _interleaved(found: Attributed, planned: int) -> Interleaved | None:
    """What people prefer where two rankers drafted lists together; a list is won by more items acted on."""
    if not found.teams:
        return None
    users = found.lists["user"].rle_id().cast(pl.Int64).to_numpy()
    first, second = (found.lists[name].cast(pl.Int64).to_numpy() for name in ("first", "second"))
    told = preference(users, np.sign(second - first), planned)
    verdict = _verdict(told.score, told.p, told.score.n >= LEAST)
    return Interleaved(found.teams[0], found.teams[1], len(found.lists), told, verdict)
