"""What an experiment found, as plain values: to JSON and back, and to a table. The report shows this and no more."""

import dataclasses
import json
import math
import typing
from dataclasses import dataclass
from typing import Any

from palate.data.audit import Finding
from palate.data.dataset import FrameKind
from palate.data.frames import native
from palate.errors import DataError
from palate.evaluation.compare import Interval
from palate.evaluation.cost import Cost

FORMAT = 1
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class SliceResult:
    """The main metric on one slice of the test users or items."""

    group: str
    name: str
    value: Interval


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """One recipe.

    asked: False for a trivial rule that is always in the table.
    validation, test: metric name to mean and interval over users.
    beyond: the same for what accuracy does not see; catalogue: numbers that belong to all lists together.
    decisions: what was decided on held-out likes while fitting, in sentences.
    """

    recipe: str
    asked: bool
    fit: Cost
    recommend: Cost
    validation: dict[str, Interval]
    test: dict[str, Interval]
    slices: tuple[SliceResult, ...]
    beyond: dict[str, Interval]
    catalogue: dict[str, float]
    decisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TradePoint:
    """One step of a sweep on validation.

    accuracy: the main metric; change: that less the same users' at strength 0.
    gains: diversity by words, novelty in bits and, where items have values, the calibration error.
    """

    strength: float
    accuracy: Interval
    change: Interval
    gains: dict[str, Interval]
    coverage: float


@dataclass(frozen=True, slots=True)
class Trade:
    """What a strength of `palate.rank.diversify` costs a recipe and gives, from strength 0 upwards."""

    recipe: str
    option: str
    points: tuple[TradePoint, ...]


@dataclass(frozen=True, slots=True)
class PairResult:
    """A recipe or a rule that only counts, on labelled pairs: AUC over all pairs, and the mean of the users' own.

    over_rule: the uauc less that of the best rule, paired over users.
    """

    name: str
    is_rule: bool
    auc: Interval
    uauc: Interval
    over_rule: Interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """Recipe `a` minus recipe `b` in the main metric, on the whole test ("all", "all users") or a slice of it.

    p: sign-flip permutation test; p_holm: corrected for all comparisons on the whole test, or for all on slices.
    """

    a: str
    b: str
    group: str
    name: str
    difference: Interval
    p: float
    p_holm: float

    @property
    def verdict(self) -> typing.Literal["ahead", "behind", "no difference"]:
        """Of `a` against `b`; "no difference" unless interval and corrected test both say otherwise."""
        if self.p_holm >= SIGNIFICANT or not self.difference.excludes_zero:
            return "no difference"
        return "ahead" if self.difference.mean > 0 else "behind"


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything an experiment found and under which circumstances.

    metric: the main one, for example "ndcg@10". data: counts and the hash of what was read.
    warnings: what a reader must know before believing a number.
    """

    metric: str
    k: int
    seed: int
    split: str
    protocol: str
    budget: str
    notes: tuple[str, ...]
    data: dict[str, str]
    environment: dict[str, str]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    recipes: tuple[RecipeResult, ...]
    pairs: tuple[PairResult, ...]
    comparisons: tuple[Comparison, ...]
    conclusions: tuple[str, ...]
    frame: FrameKind = "polars"
    trades: tuple[Trade, ...] = ()

    def table(self) -> Any:
        """A frame of the data's kind: a row for each recipe, best first: test metrics, bounds, costs."""
        rows = []
        for one in sorted(self.recipes, key=lambda one: -one.test[self.metric].mean):
            row: dict[str, Any] = {"recipe": one.recipe}
            for name, value in one.test.items():
                row |= {name: value.mean, f"{name} low": value.low, f"{name} high": value.high}
            row |= {"fit_s": one.fit.seconds, "recommend_s": one.recommend.seconds}
            row |= {"peak_mb": max(one.fit.peak_mb, one.recommend.peak_mb)}
            rows.append(row)
        return native({name: [row[name] for row in rows] for name in rows[0]}, self.frame)

    def to_json(self) -> str:
        """All of it; a number that does not exist is null."""
        tree = {"format": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(plain(tree), indent=1, ensure_ascii=False, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "Experiment":
        """The opposite of `to_json`; raises DataError where the text is something else."""
        try:
            tree = json.loads(text)
            if tree.pop("format") != FORMAT:
                raise ValueError("another format")
            return typing.cast(Experiment, built(Experiment, tree))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"experiment: not the JSON of an experiment ({error}); run it again") from None


def plain(node: Any) -> Any:
    """A tree of values with null for every number that does not exist, as JSON wants it."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    return None if isinstance(node, float) and math.isnan(node) else node


def built(kind: Any, node: Any) -> Any:
    """A tree of JSON values as the declared type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return tuple(built(args[0], one) for one in node)
    if origin is dict:
        return {key: built(args[1], value) for key, value in node.items()}
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return typing.cast(Any, kind)(**{name: built(hints[name], value) for name, value in node.items()})
    return math.nan if kind is float and node is None else node
