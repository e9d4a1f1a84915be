"""An Experiment to one HTML file that needs no network: conclusions, tables, plots, costs, findings, settings."""

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from pathlib import Path

from palate.evaluation.compare import Interval
from palate.evaluation.conclusions import plus, probability
from palate.evaluation.page import Html, bullets, details, drawing, figure, page, paragraph, table
from palate.evaluation.result import Experiment, RecipeResult

_GROUPS = {
    "history": "By length of the user's history",
    "popularity": "By popularity of the item",
    "age": "By age of the item",
    "language": "By language of the title",
}
_MEANINGS = {
    "novelty": "mean surprise of a shown item, in bits",
    "diversity": "how different the items of a list are by their words, 0 to 1",
    "popularity lift": "how much more popular the list is than the user's own past, 0 is the same",
    "valid items": "share of shown items that exist, are permitted and are new to the user",
    "calibration error": "how far the list's mix of values is from the history's (KL, 0 is the same)",
    "coverage": "share of the catalogue that is shown to anybody",
    "exposure gini": "0: all items are shown equally often, 1: one takes all",
    "gap by ...": "largest difference in accuracy between groups of users",
}


def write(experiment: Experiment, path: Path) -> None:
    """Write the report as HTML, and the same as JSON beside it (same name, suffix .json)."""
    text = html(experiment)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf8")
    path.with_suffix(".json").write_text(experiment.to_json(), encoding="utf8")


def html(experiment: Experiment) -> str:
    """The whole page. Raises MissingExtraError without matplotlib."""
    recipes = sorted(experiment.recipes, key=lambda one: -one.test[experiment.metric].mean)
    sections = {
        "Conclusions": bullets(experiment.conclusions),
        "Read this first": bullets(experiment.warnings),
        "Accuracy": _accuracy(experiment, recipes),
        "Slices": _slices(experiment, recipes),
        "Differences": _differences(experiment),
        "Beyond accuracy": _beyond(recipes),
        "What variety costs": _trades(experiment),
        "Liked or not": _pairs(experiment),
        "What was decided while fitting": _decisions(recipes),
        "Costs": _costs(recipes),
        "Audit": bullets(f"{one.severity}: {one.text}" for one in experiment.findings) or paragraph("No findings."),
        "Settings": _settings(experiment),
    }
    return page(", ".join(one.recipe for one in recipes), _lead(experiment), sections)


def _lead(experiment: Experiment) -> str:
    data = experiment.data
    return (
        f"{data['users']} users, {data['items']} items, {data['events']} events; split {experiment.split}, "
        f"{data['test users']} users tested, lists of {experiment.k}, seed {experiment.seed}. "
        "Numbers are means over users with 95 % bootstrap intervals."
    )


def _accuracy(experiment: Experiment, recipes: Sequence[RecipeResult]) -> str:
    values = {one.recipe: one.test[experiment.metric] for one in recipes}
    return (
        figure("", drawing().interval_plot(values, f"{experiment.metric.upper()} on test"))
        + _interval_table({one.recipe: one.test for one in recipes})
        + details("On validation", _interval_table({one.recipe: one.validation for one in recipes}))
    )


def _slices(experiment: Experiment, recipes: Sequence[RecipeResult]) -> str:
    """A legend, a picture for each group of slices, and the numbers."""
    names, metric = [one.recipe for one in recipes], experiment.metric.upper()
    groups = list(dict.fromkeys(one.group for one in recipes[0].slices))
    pictures = []
    for group in groups:
        values = {one.recipe: {part.name: part.value for part in one.slices if part.group == group} for one in recipes}
        pictures.append(figure(_GROUPS.get(group, group), drawing().slice_plot(group, values, metric)))
    numbers = table(
        ["slice", "users", *names],
        [
            [part.name, str(part.value.n), *(_interval(one.slices[place].value) for one in recipes)]
            for place, part in enumerate(recipes[0].slices)
        ],
    )
    if not groups:
        return ""
    return _legend(names) + f'<div class="grid">{"".join(pictures)}</div>' + details(f"{metric} in numbers", numbers)


def _legend(names: Sequence[str]) -> str:
    marks = zip(drawing().legend(names), names, strict=True)
    return f'<ul class="legend">{"".join(f"<li>{mark}{escape(name)}</li>" for mark, name in marks)}</ul>\n'


def _differences(experiment: Experiment) -> str:
    def rows(whole: bool) -> list[list[str]]:
        return [
            [one.name, f"{one.a} − {one.b}", plus(one.difference), probability(one.p_holm), one.verdict]
            for one in experiment.comparisons
            if (one.group == "all") == whole
        ]

    head = ["where", f"{experiment.metric.upper()} of", "difference", "after Holm", "the first is"]
    if not experiment.comparisons:
        return ""
    note = (
        "Paired over users: bootstrap interval, sign-flip permutation test, Holm's correction for all rows of a table."
    )
    return paragraph(note) + table(head, rows(True)) + details("The best recipe on slices", table(head, rows(False)))


def _beyond(recipes: Sequence[RecipeResult]) -> str:
    names = [*recipes[0].beyond, *dict.fromkeys(name for one in recipes for name in one.catalogue)]
    rows = []
    for one in recipes:
        cells = [
            _interval(one.beyond[name]) if name in one.beyond else _number(one.catalogue.get(name)) for name in names
        ]
        rows.append([one.recipe, *cells])
    meanings = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _MEANINGS.items())
    return table(["recipe", *names], rows) + details("What the columns mean", f"<dl>{meanings}</dl>")


def _trades(experiment: Experiment) -> str:
    """A picture for each gain, and the numbers of each recipe."""
    trades, metric = experiment.trades, experiment.metric.upper()
    if not trades:
        return ""
    option, measures = trades[0].option, [*trades[0].points[0].gains, "coverage"]
    note = (
        f"Lists built with {option} at rising strength, on validation; the numbers beside the marks are strengths. "
        f"Changes are paired over users, their intervals not corrected for the number of strengths."
    )
    pictures = []
    for name in measures:
        steps = {
            one.recipe: [
                (p.strength, p.gains[name].mean if name in p.gains else p.coverage, p.accuracy) for p in one.points
            ]
            for one in trades
        }
        pictures.append(figure("", drawing().trade_plot(name, steps, f"{metric} on validation")))
    names = [one.recipe for one in trades]
    head = ["recipe", option, metric, "change", *measures]
    rows = []
    for trade in trades:
        for point in trade.points:
            accuracy = [_interval(point.accuracy), plus(point.change)]
            gains = [*map(_interval, point.gains.values()), _number(point.coverage)]
            rows.append([trade.recipe, f"{point.strength:g}", *accuracy, *gains])
    return paragraph(note) + _legend(names) + f'<div class="grid">{"".join(pictures)}</div>' + table(head, rows)


def _pairs(experiment: Experiment) -> str:
    if not experiment.pairs:
        return ""
    note = (
        "How well scores separate what a user liked from what the same user did not like. AUC is over all pairs, "
        "UAUC the mean of the users' own. The last column is the UAUC less that of the best rule that only counts."
    )
    rows = [
        [one.name, _interval(one.auc), _interval(one.uauc), "a rule" if one.is_rule else plus(one.over_rule)]
        for one in sorted(experiment.pairs, key=lambda one: -one.uauc.mean)
    ]
    return paragraph(note) + table(["", "AUC", "UAUC", "over the best rule"], rows)


def _decisions(recipes: Sequence[RecipeResult]) -> str:
    return "".join(details(one.recipe, bullets(one.decisions)) for one in recipes if one.decisions)


def _costs(recipes: Sequence[RecipeResult]) -> str:
    rows = [
        [one.recipe, *(f"{cost.seconds:.2f}" for cost in costs), *(f"{cost.peak_mb:,.0f}" for cost in costs)]
        for one in recipes
        for costs in [(one.fit, one.recommend)]
    ]
    note = "Seconds on the clock, and the highest resident memory of the whole process meanwhile."
    head = ["recipe", "fit, s", "answer the test, s", "peak while fitting, MB", "peak while answering, MB"]
    return paragraph(note) + table(head, rows)


def _settings(experiment: Experiment) -> str:
    said = {
        "split": experiment.split,
        "protocol": experiment.protocol,
        "tuning": experiment.budget,
        "seed": str(experiment.seed),
        "list length": str(experiment.k),
    }
    return (
        bullets(experiment.notes)
        + table(["setting", "value"], said.items())
        + details("Data", table(["", ""], experiment.data.items()))
        + details("Machine and versions", table(["", ""], experiment.environment.items()))
    )


def _interval_table(values: Mapping[str, Mapping[str, Interval]]) -> str:
    """Recipes as rows, metrics as columns, the best of each column marked."""
    metrics = list(next(iter(values.values())))
    best = {name: max((row[name].mean for row in values.values() if row[name].n), default=None) for name in metrics}
    rows = [
        [recipe, *(_interval(row[name], best=row[name].mean == best[name]) for name in metrics)]
        for recipe, row in values.items()
    ]
    return table(["recipe", *metrics], rows)


def _interval(value: Interval, *, best: bool = False) -> str:
    if not value.n:
        return "–"
    mean = f"<strong>{value.mean:.3f}</strong>" if best else f"{value.mean:.3f}"
    bounds = "one user" if isnan(value.low) else f"{value.low:.3f} – {value.high:.3f}"
    return Html(f"{mean} <small>{bounds}</small>")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
