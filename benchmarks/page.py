"""Results as JSON to docs/benchmarks.md: our rows with intervals and costs, beside published ones, losses included."""

from pathlib import Path

from benchmarks.sets import SETS, Benchmark
from palate.evaluation.result import Experiment, RecipeResult

HEAD = """# Benchmarks

Drawn from `benchmarks/results/*.json` by `python -m benchmarks`; nothing here is typed by hand. Every recipe ran with
its default options and one seed. Test tables of MovieLens-100K were looked at while fusion was being built, so its rows
are those of a development set; what else was seen of test, and when, stands in `docs/log.md`. Brackets are 95 %
bootstrap intervals over users, not over seeds. Published rows were measured by others, with their own code.
"""


def page(results: Path) -> str:
    """The whole page, a section for each set that has results."""
    parts = [HEAD]
    for name, benchmark in SETS.items():
        if (results / f"{name}.json").is_file():
            found = Experiment.from_json((results / f"{name}.json").read_text(encoding="utf8"))
            parts.append(section(benchmark, found))
    return "\n".join(parts)


def section(benchmark: Benchmark, found: Experiment) -> str:
    """One protocol: settings, table, and what lost to what."""
    data, machine = found.data, found.environment
    lines = [f"## {benchmark.title}", "", benchmark.protocol, ""]
    lines.append(
        f"{data['users']} users, {data['items']} items, {data['train events']} train events, {data['test users']} test "
        f"users; seed {found.seed}; " + "; ".join(f"{key} {value}" for key, value in machine.items()) + "."
    )
    lines += [
        "",
        "| | NDCG@10 | HR@10 | Recall@10 | coverage | fit s | test s | MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ours = [(one.test["ndcg@10"].mean, _ours(one)) for one in found.recipes]
    published = [(row["ndcg@10"], _theirs(name, row, source)) for name, (row, source) in benchmark.anchors.items()]
    lines += [line for _, line in sorted([*ours, *published], key=lambda pair: -pair[0])]
    best, best_name = max((one.test["ndcg@10"].mean, one.recipe) for one in found.recipes)
    ahead = [name for name, (row, _) in benchmark.anchors.items() if row["ndcg@10"] > best]
    if ahead:
        lines += ["", f"Ahead of our best row, {best_name}: {', '.join(ahead)}."]
    lines += ["", *(f"* {sentence}" for sentence in found.conclusions if best_name in sentence), ""]
    return "\n".join(lines)


def _ours(one: RecipeResult) -> str:
    ndcg = one.test["ndcg@10"]
    return (
        f"| **{one.recipe}** | {ndcg.mean:.4f} [{ndcg.low:.4f}, {ndcg.high:.4f}] | {one.test['hit_rate@10'].mean:.4f} "
        f"| {one.test['recall@10'].mean:.4f} | {one.catalogue['coverage']:.3f} | {one.fit.seconds:.1f} "
        f"| {one.recommend.seconds:.1f} | {max(one.fit.peak_mb, one.recommend.peak_mb):.0f} |"
    )


def _theirs(name: str, row: dict[str, float], source: str) -> str:
    hit, recall = (f"{row[key]:.4f}" if key in row else "" for key in ("hit_rate@10", "recall@10"))
    return f"| {name} ({source}) | {row['ndcg@10']:.4f} | {hit} | {recall} | | | | |"
