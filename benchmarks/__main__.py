"""`python -m benchmarks [SETS]`: run the protocols of `benchmarks.sets`, keep the results, draw docs/benchmarks.md."""

import argparse
from pathlib import Path

from benchmarks.page import page
from benchmarks.sets import SETS
from palate.build import Recipe
from palate.cli.outcome import table
from palate.evaluation.evaluate import evaluate
from palate.runtime import Runtime

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
RECIPES = ("popular", "item-knn", "ease", "ials", "bm25", "zero-shot", "classic", "balanced")
UNAGED = {"popular": Recipe(("popular",), {"popular": {"half_life_days": 0.0}})}  # as published tables count


def main() -> None:
    """Run the sets named on the command line, or all of them, then redraw the page from all results there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all if none is given")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="the folder of data")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="names by comma")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page-only", action="store_true", help="run nothing")
    given = parser.parse_args()
    if unknown := set(given.sets) - set(SETS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(SETS)}")
    for name in () if given.page_only else given.sets or SETS:
        runtime = Runtime(seed=given.seed, quiet=False)
        cut = SETS[name].load(given.data, runtime)
        whole = cut.test.known
        found = evaluate(whole, given.recipes.split(","), split=cut, composed=UNAGED, runtime=runtime)
        RESULTS.mkdir(exist_ok=True)
        text = found.to_json().replace(f"{given.data}/", "")  # where the data lie is nobody's concern
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf8")
        print(f"{name}\n{table(found)}\n", flush=True)
    PAGE.write_text(page(RESULTS), encoding="utf8")


if __name__ == "__main__":
    main()
