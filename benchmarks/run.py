"""A benchmark, recipes and seeds to rows in books: fit once, ask every table of the benchmark."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks import peers
from benchmarks.book import Book, code_versions
from benchmarks.rows import About, Row
from benchmarks.sets import SETS
from benchmarks.sets.protocol import View, refitted
from benchmarks.variants import VARIANTS
from palate import build
from palate.data.audit import audit, refuse_leaks
from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split
from palate.evaluation.cost import Cost, measured
from palate.evaluation.environment import environment
from palate.evaluation.experiment import TUNING, Exam, Trial, cautions, counted
from palate.evaluation.pairs import labelled_pairs
from palate.evaluation.slices import Slice, slices
from palate.metrics.accuracy import NDCG, HitRate
from palate.pipeline import Recommender
from palate.runtime import Runtime

K = 10
SPLIT_SEED = 0  # of the cut and of every interval, whatever seed a recipe runs with
METRICS = {metric.name: metric for metric in (NDCG(K), HitRate(K))}
PEER_PACKAGES = ("rectools", "pytorch-lightning", "pandas")


@dataclass(frozen=True, eq=False)
class _Asked:
    """A table that is being filled."""

    path: Path
    exam: Exam
    book: Book


def run(
    name: str, recipes: Sequence[str], seeds: Sequence[int], protocol: str, data: Path, results: Path, *, mixed: bool
) -> list[Path]:
    """Add or replace rows of the recipes in the benchmark's books, and return where these lie.

    A recipe whose second seed gives everybody the same value as its first is asked no further.
    """
    whole, cut = SETS[name].load(data, Runtime(seed=SPLIT_SEED))
    cut = refitted(cut) if protocol == "B" else cut
    refuse_leaks(findings := audit(cut))
    codes = code_versions()
    asked = []
    for view, what in SETS[name].views.items():
        exam = _exam(what.seen_on(cut), what)
        about = About(
            name=view,
            protocol=protocol,
            split=cut.name,
            split_seed=SPLIT_SEED,
            metric=exam.metric.name,
            k=K,
            data=counted(whole, cut),
            parts=tuple((part.group, part.name) for part in exam.parts),
            notes=tuple(note.replace(f"{data}/", "") for note in (*whole.notes, *cut.notes)),
            findings=findings,
            warnings=cautions(exam.cut),
        )
        path = results / f"{view}{'' if protocol == 'A' else '.b'}.json"
        book = Book.open(path, about).ready_for(recipes, codes, mixed=mixed)
        asked.append(_Asked(path, exam, book))
    for recipe in recipes:
        asked = _rows(asked, recipe, seeds, cut.train, codes)
    return [one.path for one in asked]


def _rows(
    asked: list[_Asked], recipe: str, seeds: Sequence[int], train: Dataset, codes: Mapping[bool, str]
) -> list[_Asked]:
    """The tables with the recipe's rows, written down after each seed."""
    known = [row for row in asked[0].book.rows if row.recipe == recipe and row.seedless]
    seeds = [seed for seed in seeds if not known or seed == known[0].seed]
    peer = recipe in peers.PEERS
    first: list[Trial] = []
    for seed in seeds:
        model, cost, allowed = _fitted(recipe, train, Runtime(seed=seed, quiet=False))
        trials = [one.exam.answered(recipe, model, cost) for one in asked]
        if first and all(map(_equal, first, trials)):
            return [_written(one, _seedless(one.book, recipe)) for one in asked]
        for at, (one, trial) in enumerate(zip(asked, trials, strict=True)):
            judged = one.exam.judged({recipe: trial.on_pairs})
            row = Row(recipe, seed, peer, allowed, False, codes[peer], _environment(peer), trial.result, judged)
            asked[at] = _written(one, one.book.having(row, trial.columns))
        first = first or trials
        value = trials[0].result.test[asked[0].exam.metric.name]
        print(f"{asked[0].path.stem}: {recipe}, seed {seed}: {value} in {cost.seconds:.1f} s", flush=True)
    return asked


def _seedless(book: Book, recipe: str) -> Book:
    """The book in which that recipe has one row, which stands for every seed."""
    row = next(row for row in book.rows if row.recipe == recipe)
    return book.only(recipe, replace(row, seedless=True))


def _written(asked: _Asked, book: Book) -> _Asked:
    book.write(asked.path)
    return replace(asked, book=book)


def _fitted(recipe: str, train: Dataset, runtime: Runtime) -> tuple[Recommender, Cost, str]:
    """The recipe, ours or a peer, what fitting cost, and what tuning it was allowed."""
    if recipe not in peers.PEERS:
        model, cost = measured(lambda: build.fit(VARIANTS.get(recipe, recipe), train, runtime))
        return model, cost, TUNING
    made = peers.make(recipe)
    model, cost = measured(lambda: replace(made, retriever=made.retriever.fit(train, runtime)))
    setting = peers.chosen(model)
    return model, cost, peers.PEERS[recipe][1] + (f"; chosen: {setting}" if setting else "")


def _exam(cut: Split, view: View) -> Exam:
    parts = (*slices(cut.test, cut.train), *by_count(cut.test, cut.train))
    return Exam(cut, K, METRICS[view.metric], parts, labelled_pairs(cut.test), Runtime(seed=SPLIT_SEED))


def by_count(holdout: Holdout, train: Dataset) -> tuple[Slice, ...]:
    """The answers by how often train has them; classes without an answer are left out."""
    counts = np.bincount(train.events.item, minlength=train.n_items)[holdout.truth.values]
    bounds = {"0-5": (0, 5), "6-20": (6, 20), "21-80": (21, 80), "81+": (81, np.inf)}
    found = [
        Slice("train count", name, holdout.truth.where((counts >= low) & (counts <= high)))
        for name, (low, high) in bounds.items()
    ]
    return tuple(one for one in found if len(one.truth.values))


def _equal(one: Trial, other: Trial) -> bool:
    """Whether two trials gave the same value for every user, on test and on validation."""
    same = np.array_equal(one.columns, other.columns, equal_nan=True)
    return same and str(asdict(one.result)["validation"]) == str(asdict(other.result)["validation"])


def _environment(peer: bool) -> dict[str, str]:
    found = environment()
    for package in PEER_PACKAGES if peer else ():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
