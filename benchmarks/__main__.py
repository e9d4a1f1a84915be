"""`python -m benchmarks [SETS]`: run the protocols of `benchmarks.sets`, keep the results, draw docs/benchmarks.md."""

import argparse
from pathlib import Path

from benchmarks.page import page
from benchmarks.peers import PEERS
from benchmarks.run import run
from benchmarks.sets import SETS
from benchmarks.variants import VARIANTS
from palate.build import RECIPES
from palate.errors import PalateError

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
OURS = ("popular", "item-knn", "ease", "ials", "bm25", "zero-shot", "classic", "balanced")
GROUPS = {"ours": OURS, "peers": tuple(PEERS)}


def main() -> None:
    """Run the sets named on the command line, or all of them, then redraw the page from all results there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all if none is given")
    parser.add_argument("--data", type=Path, default=HERE.parent.parent / "shared" / "data", help="the folder of data")
    parser.add_argument(
        "--recipes",
        default="ours",
        help="names by comma, whose rows are added or replaced: any recipe, a variant of `benchmarks.variants`, "
        f"{', '.join(PEERS)}, or ours, or peers",
    )
    parser.add_argument("--seeds", default="0", help="by comma; a recipe that does not differ by seed runs twice")
    parser.add_argument("--protocol", choices=("A", "B"), default="A", help="B refits on train + validation")
    parser.add_argument("--mixed", action="store_true", help="keep rows that other code made")
    parser.add_argument("--page-only", action="store_true", help="run nothing")
    given = parser.parse_args()
    recipes = [one for name in given.recipes.split(",") for one in GROUPS.get(name, (name,))]
    if unknown := set(given.sets) - set(SETS) | set(recipes) - {*RECIPES, *VARIANTS, *PEERS}:
        known = dict.fromkeys((*SETS, *RECIPES, *VARIANTS, *PEERS))
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    seeds = [int(seed) for seed in given.seeds.split(",")]
    try:
        for name in () if given.page_only else given.sets or SETS:
            run(name, recipes, seeds, given.protocol, given.data, RESULTS, mixed=given.mixed)
        PAGE.write_text(page(RESULTS), encoding="utf8")
    except PalateError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
