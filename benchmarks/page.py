"""Results as JSON to docs/benchmarks.md: our rows, peers run here and published figures, losses said in sentences."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import labelled, tuning
from benchmarks.book import Table
from benchmarks.lines import Line
from benchmarks.rows import Row
from benchmarks.sets import SETS
from benchmarks.sets.protocol import View
from benchmarks.speed import speed
from palate.evaluation.compare import Interval
from palate.evaluation.conclusions import probability
from palate.evaluation.result import Comparison

HEAD = """# Benchmarks

Drawn from `benchmarks/results` by `python -m benchmarks`; nothing here is typed by hand.

How to read a table:

* **Bold** rows are this library's recipes. *run here* marks other libraries, fitted by their own code on the same train
  events and asked the same requests in the same process; what tuning each was allowed stands below its table, ours too:
  rows of earlier code ran with default options, later ones chose theirs on likes held out of train. Where a model has
  nothing to say, as for a stranger, popularity answers: the same
  stand-in for ours and theirs. Rows with a source were published by others, with their own code and often their
  own choice of settings on test: the protocol is the same as far as it is described, the runs are not ours.
* Brackets are 95 % bootstrap intervals over users. *± between seeds* is the standard deviation of the seeds' means, "="
  where another seed gives everybody the same value, empty where one seed was run. Neither says how
  another data set would turn out.
* "Ahead" and "behind" mean that a paired permutation test over users, corrected by Holm for all lines of the table,
  gives p < .05 and that the interval of the difference leaves out 0. Everything else is called no difference.
* Protocol A: models learn from train alone; the validation event enters test histories but not training. Protocol B, in
  tables of its own: refitted on train and validation. B is easier, and the two are never compared.
* Peers are installed and run by `make peers`: RecTools 0.19 asks for numpy below 2 on this Python, so it is installed
  without its own resolver into an environment that holds this library too, and both run in one process there.
* Test tables of MovieLens-100K were looked at while fusion was being built, so its rows are those of a development set;
  what else was seen of test, and when, stands in the log ([log](log.md)).
* Other programs may have run on the machine at the same time: seconds are orders of magnitude, of several seeds those
  of the quickest.
"""
NAMES = {"ndcg@10": "NDCG@10", "hit_rate@10": "HR@10", "recall@10": "Recall@10"}
MARKS = ("train count", "history")  # the slices that are shown
GROUPS = {"train count": "answers that train has {} times", "history": "users with {} in their history"}


def page(results: Path) -> str:
    """The whole page, a section for each table that has results."""
    parts = [HEAD]
    for benchmark in SETS.values():
        titled = False
        for name, view in benchmark.views.items():
            for protocol, ending in (("A", ""), ("B", ".b")):
                path = results / f"{name}{ending}.json"
                if path.is_file():
                    parts += [] if titled else [f"## {benchmark.title}\n"]
                    titled = True
                    parts.append(section(view, Table.read(path), protocol))
    return "\n".join([*parts, *labelled.section(results), *tuning.sections(results), speed(results)])


def section(view: View, found: Table, protocol: str) -> str:
    """One table: what is asked, the lines, who is ahead of whom, slices, circumstances."""
    data = found.about.data
    validating = f"{data['validation users']} validation and " if data["validation users"] != "0" else ""
    lines = [
        f"Protocol {protocol}. {view.protocol}",
        "",
        f"{data['users']} users, {data['items']} items, {data['events']} events, of these {data['train events']} to "
        f"train on; {validating}{data['test users']} test users.",
        "",
        *table(view, found),
        "",
        *verdicts(view, found),
        "",
        *sliced(found),
        *circumstances(found),
        "",
    ]
    return "\n".join(lines)


def table(view: View, found: Table) -> list[str]:
    """All lines, best first by the main metric: ours, peers and published ones."""
    main = found.about.metric
    others = [name for name in NAMES if name != main]
    others = [name for name in others if not _repeats(found.lines, name, others, main)]
    heads = [NAMES[main], "± between seeds", *(NAMES[name] for name in others), "validation", "coverage"]
    rows = [(line.value.mean, _ours(line, others)) for line in found.lines]
    for name, (figures, source) in view.anchors.items():
        cells = [f"{figures[main]:.4f}", "", *(_figure(figures, metric) for metric in others), *([""] * 5)]
        rows.append((figures[main], f"| {name} ({source}) | {' | '.join(cells)} |"))
    return [
        f"| | {' | '.join(heads)} | fit s | test s | MB |",
        "|---" * (len(heads) + 4) + "|",
        *(row for _, row in sorted(rows, key=lambda pair: -pair[0])),
    ]


def _ours(line: Line, others: Sequence[str]) -> str:
    name = f"{line.recipe} (run here)" if line.peer else f"**{line.recipe}**"
    between = "=" if line.seedless else f"{line.between:.4f} ({len(line.seeds)})" if len(line.seeds) > 1 else ""
    validation = f"{line.validation:.4f}" if line.validation == line.validation else ""
    cells = [_bounds(line.value), between, *(f"{line.test[name]:.4f}" for name in others), validation]
    cells += [f"{line.coverage:.3f}", f"{line.fit_s:.1f}", f"{line.test_s:.1f}", f"{line.peak_mb:.0f}"]
    return f"| {name} | {' | '.join(cells)} |"


def _repeats(lines: Iterable[Line], name: str, others: Sequence[str], main: str) -> bool:
    """Whether recall repeats the hit rate, because everybody has one answer."""
    return name == "recall@10" and all(line.test[name] == line.test["hit_rate@10"] for line in lines)


def _figure(figures: dict[str, float], metric: str) -> str:
    return f"{figures[metric]:.4f}" if metric in figures else ""


def _bounds(value: Interval) -> str:
    return f"{value.mean:.4f} [{value.low:.4f}, {value.high:.4f}]"


def verdicts(view: View, found: Table) -> list[str]:
    """Sentences: the best of ours against every line that was run here, and which figures from elsewhere are higher."""
    ours = [line for line in found.lines if not line.peer]
    if not ours:
        return ["No recipe of ours was run."]
    best, said = ours[0], []
    for verdict, words in (
        ("behind", "is **behind**"),
        ("no difference", "shows no difference from"),
        ("ahead", "is ahead of"),
    ):
        named = [_against(one) for one in found.comparisons if one.verdict == verdict]
        said += [f"* {best.recipe} {words} {', '.join(named)}."] if named else []
    higher = [
        f"{name} ({figures[found.about.metric]:.4f})"
        for name, (figures, _) in view.anchors.items()
        if figures[found.about.metric] > best.value.mean
    ]
    if higher:
        said.append(f"* Figures from elsewhere **above** our best row: {', '.join(higher)}.")
    elif view.anchors:
        said.append("* No figure from elsewhere in the table is above our best row.")
    floor = [line for line in found.lines if line.recipe == "popular"]
    least = [line.recipe for line in ours if floor and line.value.mean < floor[0].value.mean]
    return [*said, *([f"* Below popularity, that is below counting: {', '.join(least)}."] if least else [])]


def _against(one: Comparison) -> str:
    difference = one.difference
    return f"{one.b} ({difference.mean:+.4f} [{difference.low:.4f}, {difference.high:.4f}], {probability(one.p_holm)})"


def sliced(found: Table) -> list[str]:
    """Where the best of ours, `classic` and the best peer are good: by count of answer, by history."""
    shown = _compared(found.lines)
    if not shown:
        return []
    rows = []
    for group in MARKS:
        for at, part in enumerate(shown[0].slices):
            if part.group == group:
                values = [line.slices[at].value for line in shown]
                rows.append(
                    f"| {GROUPS[group].format(part.name)} | {part.value.n:,} | {' | '.join(map(_bounds, values))} |"
                )
    heads = " | ".join(line.recipe for line in shown)
    return [f"| {NAMES[found.about.metric]} | users | {heads} |", "|---" * (len(shown) + 2) + "|", *rows, ""]


def _compared(lines: Sequence[Line]) -> list[Line]:
    """The best of ours, `classic`, and the best peer; fewer where they are the same or were not run."""
    ours, peers = [line for line in lines if not line.peer], [line for line in lines if line.peer]
    classic = [line for line in ours[1:] if line.recipe == "classic"]
    return [*ours[:1], *classic, *peers[:1]]


def circumstances(found: Table) -> list[str]:
    """What every peer was allowed, on what machine and with which code."""
    allowed: dict[str, list[str]] = {}
    for name, (sentence, _, setting) in {
        row.recipe: row.allowed.partition("; chosen: ") for row in found.rows if row.peer
    }.items():
        allowed.setdefault(sentence, []).append(f"{name} ({setting})" if setting else name)
    lines = [f"Tuning of {', '.join(names)}: {sentence}." for sentence, names in allowed.items()]
    lines += [f"Warning: {one}" for one in (*found.about.warnings, *(finding.text for finding in found.about.findings))]
    environments = [set(row.environment.items()) for row in found.rows]
    everywhere = set.intersection(*environments) if environments else set()
    order = [key for row in found.rows[:1] for key in row.environment]
    common = sorted(everywhere, key=lambda pair: order.index(pair[0]))
    lines.append(f"Run on {'; '.join(f'{key} {value}' for key, value in common)}.")
    further = sorted({f"{key} {value}" for one in environments for key, value in one - everywhere})
    lines += [f"Some rows also, or otherwise: {'; '.join(further)}."] if further else []
    codes = {peer: {row.code for row in found.rows if row.peer == peer} for peer in (False, True)}
    if any(len(each) > 1 for each in codes.values()):
        lines.append(f"**Rows of different versions of the code stand in this table:** {_by_code(found.rows)}.")
    sha = found.about.data["sha256"][:12]
    seed = found.about.split_seed
    return [
        *(
            f"* {line}"
            for line in [
                *lines,
                f"Data {sha}, split by seed {seed}. {'. '.join(note.rstrip('.') for note in found.about.notes)}.",
            ]
        )
    ]


def _by_code(rows: Sequence[Row]) -> str:
    """Each version with the recipes it ran, and the seeds of those that have more than one row."""
    n_rows = Counter(row.recipe for row in rows)
    ran: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        ran.setdefault(row.code, {}).setdefault(row.recipe, []).append(str(row.seed))
    told = {
        code: ", ".join(
            f"{recipe} (seed {' '.join(seeds)})" if n_rows[recipe] > 1 else recipe for recipe, seeds in recipes.items()
        )
        for code, recipes in ran.items()
    }
    return "; ".join(f"{code}: {recipes}" for code, recipes in told.items())
