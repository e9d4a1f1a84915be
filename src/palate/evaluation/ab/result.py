"""What a test between arms, or of interleaved lists, found, as plain values. The page shows this and no more."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from palate.evaluation.compare import Interval
from palate.evaluation.interleaving import Preference
from palate.evaluation.result import plain

Verdict = Literal["ahead", "behind", "no difference shown", "not concluded"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm: the planned share of users, how many there are, how many are settled, and what these saw and did.

    values: metric to mean over settled users, with bounds that hold at all looks.
    """

    name: str
    share: float
    users: int
    settled: int
    lists: int
    values: dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Course:
    """How a difference came about: some numbers of settled users, the difference and the bounds that stood there."""

    users: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm less the control in one metric.

    difference: holds at all looks, as does p; p_holm: corrected for all metrics and arms.
    fixed: the interval of Welch's t-test, which holds for one look at a size that was fixed beforehand.
    """

    metric: str
    arm: str
    control: str
    difference: Interval
    p: float
    p_holm: float
    fixed: Interval
    verdict: Verdict
    course: Course


@dataclass(frozen=True, slots=True)
class Interleaved:
    """Lists that two rankers drafted together: `first` is team a of the preference, `second` team b."""

    first: str
    second: str
    lists: int
    preference: Preference
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AbReport:
    """A whole test.

    mismatch_p: that users fell into arms by the planned shares; below .001 nothing is concluded.
    counts: what was found in the logs and what was left out.
    differences: none where there is but one arm, of interleaved lists. Of these, `verdict` is of the second ranker.
    """

    options: dict[str, Any]
    control: str
    arms: tuple[Arm, ...]
    mismatch_p: float
    counts: dict[str, int]
    differences: tuple[Difference, ...]
    interleaved: Interleaved | None
    warnings: tuple[str, ...]
    conclusions: tuple[str, ...]

    def to_json(self) -> str:
        """All of it; a number that does not exist is null."""
        return json.dumps(plain(asdict(self)), indent=1, ensure_ascii=False, allow_nan=False)
