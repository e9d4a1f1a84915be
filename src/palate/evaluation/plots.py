"""Numbers with intervals to pictures: inline SVG that follows the page's colours and works without colour."""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from palate.evaluation.compare import Interval

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # after Okabe and Ito
MARKERS = "osD^vPX"  # 6 colours and 7 shapes repeat together only after 42 recipes
_INK = "#010203"  # stands for the page's text colour until the SVG is written
_STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def interval_plot(values: Mapping[str, Interval], label: str) -> str:
    """One row for each recipe: the mean as a mark, the interval as a line."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": label}):
        figure = Figure(figsize=(5.4, 0.7 + 0.36 * len(values)), layout="constrained")
        axes = figure.subplots()
        for place, value in enumerate(values.values()):
            _mark(axes, value, place, place, upright=False)
        axes.set_yticks(range(len(values)), [_plain(name) for name in values])
        axes.invert_yaxis()
        axes.margins(y=0.5 / max(len(values), 1))
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.25)
        return _svg(figure, f"{label} of {', '.join(values)}, with 95 % intervals")


def slice_plot(group: str, values: Mapping[str, Mapping[str, Interval]], label: str) -> str:
    """Recipe to slice to value: one column for each slice, in it one mark for each recipe, side by side."""
    slices = list(next(iter(values.values())))
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": group}):
        figure = Figure(figsize=(5.4, 3.0), layout="constrained")
        axes = figure.subplots()
        step = 0.7 / max(len(values), 1)
        for order, row in enumerate(values.values()):
            for place, value in enumerate(row.values()):
                _mark(axes, value, place + (order - (len(values) - 1) / 2) * step, order, upright=True)
        axes.set_xticks(range(len(slices)), [_plain(name) for name in slices])
        axes.set_xlim(-0.5, len(slices) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(label)
        axes.grid(axis="y", alpha=0.25)
        return _svg(figure, f"{label} by {group} of {', '.join(values)}, with 95 % intervals")


def trade_plot(gain: str, values: Mapping[str, Sequence[tuple[float, float, Interval]]], label: str) -> str:
    """Recipe to steps (strength, gain, accuracy): accuracy over what was gained, joined in order of strength."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"trade {gain}"}):
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        axes = figure.subplots()
        for order, steps in enumerate(values.values()):
            for _, x, value in steps:
                _mark(axes, value, x, order, upright=True)
            axes.plot([x for _, x, _ in steps], [y.mean for *_, y in steps], color=_look(order)["color"], alpha=0.5)
        points = [step for steps in values.values() for step in steps if step[2].n]
        _widen(axes, [x for _, x, _ in points])
        _name_steps(axes, points)
        axes.set_xlabel(gain)
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
        return _svg(figure, f"{label} over {gain} of {', '.join(values)}, with 95 % intervals")


def trace_plot(trials: Sequence[Mapping[str, Any]], label: str) -> str:
    """The trials of a search in order: a circle for each, a cross where it was ended early, and the best so far."""
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": "trace"}):
        figure = Figure(figsize=(5.4, 3.0), layout="constrained")
        axes = figure.subplots()
        found: dict[bool, tuple[list[int], list[float]]] = {True: ([], []), False: ([], [])}
        best: list[float] = []
        for row in trials:
            places, values = found[bool(row["pruned"])]
            places.append(row["trial"])
            values.append(row["quality"])
            best.append(max(found[False][1], default=row["quality"]))
        axes.step(
            [row["trial"] for row in trials], best, where="post", color=COLOURS[0], alpha=0.5, label="best so far"
        )
        for pruned, marker, name in ((False, "o", "ran to its end"), (True, "x", "ended early")):
            axes.plot(*found[pruned], marker, color=COLOURS[int(pruned)], clip_on=False, label=name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("trial")
        axes.set_ylabel(label)
        axes.grid(axis="y", alpha=0.25)
        axes.legend(frameon=False)
        return _svg(figure, f"{label} of {len(trials)} trials")


def course_plot(users: Sequence[int], courses: Sequence[Sequence[float]], label: str) -> str:
    """How a difference (mean, low, high) came about with the number of users; what lies off the line at 0 is shown."""
    mean, low, high = courses
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"course {label}"}):
        figure = Figure(figsize=(5.4, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(users, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
        axes.plot(users, mean, color=COLOURS[0])
        axes.axhline(0, color=_INK, linewidth=1)
        axes.set_xlabel("settled users")
        axes.set_ylabel(_plain(label))
        axes.grid(axis="y", alpha=0.25)
        return _svg(figure, f"{label} with bounds, after up to {users[-1]} users")


def legend(names: Sequence[str]) -> list[str]:
    """For each recipe its mark as a small SVG, in the order of the plots."""
    found = []
    for order, name in enumerate(names):
        with matplotlib.rc_context({**_STYLE, "svg.hashsalt": f"legend {order}"}):
            figure = Figure(figsize=(0.2, 0.2))
            axes = figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            axes.plot([0], [0], **_look(order))
            found.append(_svg(figure, name))
    return found


def _mark(axes: Axes, value: Interval, place: float, order: int, *, upright: bool) -> None:
    if not value.n:
        return
    bounds = [[value.mean - value.low], [value.high - value.mean]] if value.n > 1 else None
    look = {"elinewidth": 2, "capsize": 3, "clip_on": False, **_look(order)}
    if upright:
        axes.errorbar([place], [value.mean], yerr=bounds, **look)
    else:
        axes.errorbar([value.mean], [place], xerr=bounds, **look)


def _widen(axes: Axes, found: Sequence[float]) -> None:
    """Room beside the marks, and a span of a tenth of the values at least: what hardly moves must look so."""
    if found:
        low, high = min(found), max(found)
        room = max(0.08 * (high - low), (0.1 * max(abs(low), abs(high)) - (high - low)) / 2, 1e-6)
        axes.set_xlim(low - room, high + room)


def _name_steps(axes: Axes, points: Sequence[tuple[float, float, Interval]]) -> None:
    """Each strength beside its mark, weakest and strongest first; one that would lie on another is left out."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    named: list[tuple[float, float]] = []
    for strength, x, value in sorted(points, key=lambda step: (step[0] > 0, -step[0])):
        place = (x - left) / (right - left), (value.mean - bottom) / (top - bottom)
        if all(abs(place[0] - other[0]) > 0.07 or abs(place[1] - other[1]) > 0.06 for other in named):
            named.append(place)
            axes.annotate(f"{strength:g}", (x, value.mean), (6, 5), textcoords="offset points", fontsize=10)


def _look(order: int) -> Any:
    return {
        "color": COLOURS[order % len(COLOURS)],
        "marker": MARKERS[order % len(MARKERS)],
        "markersize": 7,
        "linestyle": "none",
    }


def _plain(name: str) -> str:
    """A name without what matplotlib would read as mathematics."""
    return name.replace("$", r"\$")


def _svg(figure: Figure, description: str) -> str:
    """The figure as an element that scales with the page; ids stay unique by the salt of each plot."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(description)}"', 1)
