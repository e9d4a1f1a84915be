"""A report on a test to one HTML file that needs no network: conclusions, arms, differences, how they came about."""

from pathlib import Path

from palate.evaluation.ab.conclusions import signed
from palate.evaluation.ab.result import AbReport, Difference
from palate.evaluation.conclusions import probability
from palate.evaluation.page import bullets, drawing, figure, page, paragraph, table

HEAD = ("metric", "arms", "difference, at all looks", "after Holm", "for one look", "the first is")
_HOLDS = (
    "The first interval is a 95 % confidence sequence: it holds however often one looks, so that the test may be "
    "stopped at any time. The interval for one look is Welch's t-interval; it is narrower, and holds only for a single "
    "look at a number of users that was fixed before the test."
)


def write(report: AbReport, path: Path) -> tuple[Path, Path]:
    """Write the report as HTML, and as JSON beside it (same name, suffix .json); the two paths."""
    text = html(report)
    paths = path.with_suffix(".html"), path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(text, encoding="utf8")
    paths[1].write_text(report.to_json(), encoding="utf8")
    return paths


def html(report: AbReport) -> str:
    """The whole page. Raises MissingExtraError without matplotlib where there are differences to draw."""
    sections = {
        "Conclusions": bullets(report.conclusions),
        "Read this first": bullets(report.warnings),
        "Differences": _differences(report),
        "How they came about": _courses(report.differences),
        "Interleaved lists": _interleaved(report),
        "Arms": _arms(report),
        "Logs": table(["", ""], [(name, f"{count:,}") for name, count in report.counts.items()]),
        "Settings": table(["setting", "value"], [(name, str(value)) for name, value in report.options.items()]),
    }
    return page(" and ".join(arm.name for arm in report.arms), _lead(report), sections)


def difference_rows(report: AbReport) -> list[list[str]]:
    """A row for each arm and metric: metric, arms, difference, p after Holm, the interval for one look, verdict."""
    return [
        [
            one.metric,
            f"{one.arm} − {one.control}",
            signed(one.difference),
            probability(one.p_holm),
            f"[{one.fixed.low:.4f}, {one.fixed.high:.4f}]",
            one.verdict,
        ]
        for one in report.differences
    ]


def arm_rows(report: AbReport) -> list[list[str]]:
    """A row for each arm: name, planned share, users, settled, lists and the mean of each metric."""
    return [
        [
            arm.name,
            f"{arm.share:g}",
            *(f"{count:,}" for count in (arm.users, arm.settled, arm.lists)),
            *(f"{value.mean:.4f}" if value.n else "–" for value in arm.values.values()),
        ]
        for arm in report.arms
    ]


def arm_head(report: AbReport) -> list[str]:
    """What the columns of `arm_rows` are called."""
    return ["arm", "share", "users", "settled", "lists", *report.arms[0].values]


def _lead(report: AbReport) -> str:
    users, settled = sum(arm.users for arm in report.arms), sum(arm.settled for arm in report.arms)
    return (
        f"{users:,} users in {len(report.arms)} arms, {settled:,} of them settled: their lists of "
        f"{report.options['follow_hours']:g} hours count, with what they did within {report.options['window_hours']:g} "
        "hours of a list. Numbers are means over settled users."
    )


def _differences(report: AbReport) -> str:
    return paragraph(_HOLDS) + table(HEAD, difference_rows(report)) if report.differences else ""


def _courses(differences: tuple[Difference, ...]) -> str:
    pictures = []
    for one in differences:
        course = one.course
        if course.users:
            label = f"{one.metric}: {one.arm} − {one.control}"
            bounds = (course.mean, course.low, course.high)
            pictures.append(figure(label, drawing().course_plot(course.users, bounds, label)))
    return f'<div class="grid">{"".join(pictures)}</div>' if pictures else ""


def _interleaved(report: AbReport) -> str:
    one = report.interleaved
    if one is None:
        return ""
    told = one.preference
    note = (
        f"{one.lists:,} lists in which {one.first} and {one.second} placed items in turn. A list is won by the ranker "
        "more of whose items were acted on; a person's score is lists won by the second less lists won by the first, "
        "over all their lists. The score's interval holds at all looks, the share and the sign test hold for one."
    )
    rows = [
        ("score", f"{signed(told.score)}, {probability(told.p)}"),
        (f"people who prefer {one.second}", str(told.prefer_b)),
        (f"people who prefer {one.first}", str(told.prefer_a)),
        ("neither", str(told.undecided)),
        (f"share for {one.second} of those who prefer one", f"{told.share}, {probability(told.sign_p)}"),
    ]
    return paragraph(note) + table(["", ""], rows)


def _arms(report: AbReport) -> str:
    p = probability(report.mismatch_p)
    note = f"That users fell into arms by the planned shares: {p} (chi-square); below .001 nothing is concluded."
    return (paragraph(note) if len(report.arms) > 1 else "") + table(arm_head(report), arm_rows(report))
