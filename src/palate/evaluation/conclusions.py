"""Results to sentences with numbers; a difference that may be chance is called no difference."""

from collections.abc import Iterable, Sequence

from palate.evaluation.compare import Interval
from palate.evaluation.result import Comparison, PairResult, RecipeResult

_FLOOR = "popular"


def conclude(
    metric: str, recipes: Sequence[RecipeResult], comparisons: Sequence[Comparison], pairs: Sequence[PairResult]
) -> tuple[str, ...]:
    """What a reader may take home: who is ahead, who has not beaten counting, where it differs, what it costs."""
    ranked = sorted(recipes, key=lambda one: -one.test[metric].mean)
    if not ranked[0].test[metric].n:
        return ("No user could be tested: nothing can be concluded.",)
    whole = [one for one in comparisons if one.group == "all"]
    best = ranked[0].recipe
    sentences = [_overall(one, metric) for one in whole]
    sentences += _no_more_than_counting(whole)
    for other in ranked[1:]:
        sentences += _by_slice(best, other.recipe, [one for one in comparisons if one.group != "all"], metric)
    sentences += _on_pairs(pairs)
    sentences += _costs(ranked)
    return tuple(sentences)


def plus(difference: Interval) -> str:
    """A difference with its sign and bounds.

    >>> plus(Interval(.0312, .018, .0441, 100))
    '+0.031 [0.018, 0.044]'
    """
    return f"{difference.mean:+.3f} [{difference.low:.3f}, {difference.high:.3f}]"


def probability(p: float) -> str:
    """A p-value as it is printed.

    >>> probability(.0312), probability(.0002)
    ('p = .031', 'p < .001')
    """
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def _overall(one: Comparison, metric: str) -> str:
    numbers = f"{_shown(metric, one.difference)} ({probability(one.p_holm)} after Holm)"
    if one.verdict == "no difference":
        return f"No difference between {one.a} and {one.b}: {numbers}."
    leader, other = (one.a, one.b) if one.verdict == "ahead" else (one.b, one.a)
    return f"{leader} is ahead of {other}: {numbers}."


def _no_more_than_counting(whole: Iterable[Comparison]) -> list[str]:
    """Who is not ahead of popularity."""
    level = [one.b for one in whole if one.a == _FLOOR and one.verdict != "behind"]
    level += [one.a for one in whole if one.b == _FLOOR and one.verdict != "ahead"]
    return [f"Not shown to be better than popularity, that is than counting: {', '.join(level)}."] if level else []


def _by_slice(best: str, other: str, comparisons: Iterable[Comparison], metric: str) -> list[str]:
    """One sentence on where the best recipe differs from another; none where no slice does."""
    groups: dict[str, list[str]] = {"ahead": [], "behind": [], "no difference": []}
    for one in comparisons:
        if (one.a, one.b) == (best, other):
            number = f": {_shown(metric, one.difference)}" if one.verdict != "no difference" else ""
            groups[one.verdict].append(f"{_for(one)}{number}")
    if not groups["ahead"] and not groups["behind"]:
        return []
    said = [f"{verdict} for {', '.join(names)}" for verdict, names in groups.items() if names]
    return [f"{best} against {other}: {'; '.join(said)}."]


def _for(one: Comparison) -> str:
    """The people or items of a slice, in words."""
    return f"users with {one.name}" if one.group == "history" else one.name


def _on_pairs(pairs: Sequence[PairResult]) -> list[str]:
    """Recipes that do not separate liked from disliked better than the best rule, user by user."""
    if not pairs:
        return []
    rule = max((one for one in pairs if one.is_rule), key=lambda one: one.uauc.mean)
    level = [f"{one.name} {plus(one.over_rule)}" for one in pairs if not one.is_rule and not one.over_rule.low > 0]
    said = f"On labelled pairs, UAUC not shown to be better than the rule {rule.name}: {', '.join(level)}."
    return [said] if level else []


def _costs(ranked: Sequence[RecipeResult]) -> list[str]:
    best, cheapest = ranked[0], min(ranked, key=lambda one: one.fit.seconds)
    if best is cheapest:
        return []
    return [
        f"{best.recipe} took {best.fit.seconds:.1f} s to fit and {best.recommend.seconds:.1f} s to answer the test, "
        f"{cheapest.recipe} {cheapest.fit.seconds:.1f} s and {cheapest.recommend.seconds:.1f} s."
    ]


def _shown(metric: str, difference: Interval) -> str:
    mean, bounds = plus(difference).split(" ", 1)
    return f"{mean} {metric.upper()} {bounds}"
