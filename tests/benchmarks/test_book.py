"""Rows of results: added one by one, never lost, never mixed unnoticed; and the page drawn from them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.book import Book, Table, code_versions
from benchmarks.page import page
from benchmarks.sets import cold
from benchmarks.sets.protocol import Benchmark, View, refitted

from benchmarks import run as running
from conftest import checkerboard
from evaluation.fakes import fit
from palate.data.split import leave_last_out, split
from palate.errors import DataError
from palate.runtime import Runtime

DATA = Path("nowhere")
BOARD = checkerboard(n_users=60)
VIEW = View("Leave-last-out.", {"an oracle": ({"ndcg@10": 1.0}, "a dream"), "nothing": ({"ndcg@10": 0.0}, "void")})


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty folder, with one small benchmark whose recipes are fakes; "noise" hangs on the seed."""
    tables = {"board": Benchmark("The board", lambda folder, runtime: (BOARD, leave_last_out(BOARD)), {"board": VIEW})}
    monkeypatch.setattr(running, "SETS", tables)
    monkeypatch.setattr("benchmarks.page.SETS", tables)

    def fitted(recipe, train, runtime):
        made = fit(recipe, train, runtime)
        if recipe == "noise":
            made.retriever.counts_[:] = 0
            object.__setattr__(made.retriever, "scores", _seeded(made.retriever, runtime.seed))
        return made

    monkeypatch.setattr(running.build, "fit", fitted)
    monkeypatch.setattr(running, "VARIANTS", {})
    return tmp_path


def _seeded(retriever, seed):
    def scores(queries):
        items = np.arange(len(retriever.counts_))
        return ((queries.users[:, None] * 7919 + items * 104729 + seed * 31) % 1009 / 1009).astype(np.float32)

    return scores


def add(results, recipes, seeds=(0,), protocol="A", mixed=False):
    (path,) = running.run("board", recipes, seeds, protocol, DATA, results, mixed=mixed)
    return path


def test_rows_of_a_later_run_join_those_of_an_earlier_one(results):
    path = add(results, ["popular"])
    before = Book.read(path).rows[0]
    add(results, ["taste"])
    book = Book.read(path)
    assert [row.key for row in book.rows] == ["popular@0", "taste@0"]
    assert book.rows[0] == before
    assert set(book.columns) == {"popular@0", "taste@0"}


def test_merging_compares_as_one_run_would(results, tmp_path):
    path = add(results, ["popular", "taste"])
    together = Table.read(path).comparisons
    path.unlink()
    path.with_suffix(".npz").unlink()
    add(results, ["popular"])
    apart = Table.read(add(results, ["taste"])).comparisons
    assert together == apart
    assert (together[0].a, together[0].verdict) == ("taste", "ahead")


def test_a_recipe_that_is_run_again_replaces_its_row(results):
    add(results, ["popular", "taste"])
    book = Book.read(add(results, ["popular"]))
    assert sorted(row.key for row in book.rows) == ["popular@0", "taste@0"]


def test_a_recipe_without_a_seed_has_one_row_that_says_so(results):
    path = add(results, ["taste"], seeds=(0, 1, 2))
    (row,) = Book.read(path).rows
    assert (row.seed, row.seedless) == (0, True)
    add(results, ["taste"], seeds=(3,))
    assert len(Book.read(path).rows) == 1


def test_seeds_are_averaged_person_by_person_and_their_deviation_is_told(results):
    path = add(results, ["noise"], seeds=(0, 1))
    add(results, ["noise"], seeds=(2,))
    book, (line,) = Book.read(path), Table.read(path).lines
    assert line.seeds == (0, 1, 2)
    means = [np.nanmean(values[:, 0]) for values in book.columns.values()]
    assert line.value.mean == pytest.approx(np.mean(means), abs=1e-3)
    assert line.between == pytest.approx(np.std(means, ddof=1), abs=1e-3)
    alone = [row.result.test["ndcg@10"] for row in book.rows]
    assert line.value.high - line.value.low < max(one.high - one.low for one in alone)
    assert line.fit_s == min(row.result.fit.seconds for row in book.rows)


def test_other_data_do_not_fit_in(results, monkeypatch):
    add(results, ["popular"])
    other = checkerboard(n_users=61)
    tables = {"board": Benchmark("The board", lambda folder, runtime: (other, leave_last_out(other)), {"board": VIEW})}
    monkeypatch.setattr(running, "SETS", tables)
    with pytest.raises(DataError, match=r"board\.json: its rows are of other data"):
        add(results, ["taste"])


def test_other_code_is_refused_unless_the_page_may_say_so(results, monkeypatch):
    path = add(results, ["popular", "taste"])
    old = Book.read(path).rows[0].code
    monkeypatch.setattr(running, "code_versions", lambda: {False: "9.9+new", True: "9.9+new"})
    with pytest.raises(DataError, match="made by other code: taste; run these again"):
        add(results, ["popular"])
    add(results, ["popular", "noise"], seeds=(0, 1), mixed=True)
    told = "different versions of the code stand in this table:**"
    assert f"{told} {old}: taste; 9.9+new: popular, noise (seed 0 1)." in page(results)
    add(results, ["popular", "taste"])
    assert "different versions of the code" not in page(results)


def test_the_code_of_peers_is_part_of_their_version():
    codes = code_versions()
    assert codes[False] != codes[True]
    assert codes == code_versions()


def test_protocol_b_has_a_table_of_its_own_without_validation(results):
    a, b = add(results, ["taste"]), add(results, ["taste"], protocol="B")
    assert a != b
    one, two = Book.read(a), Book.read(b)
    assert (one.about.data["train events"], two.about.data["train events"]) == ("240", "300")
    assert one.about.data["sha256"] == two.about.data["sha256"] == BOARD.fingerprint()
    assert np.isnan(two.rows[0].result.validation["ndcg@10"].mean)
    assert "Protocol B. Leave-last-out." in page(results)


def test_refitting_learns_what_validated_and_asks_the_same_test():
    cut = split(BOARD, "leave-last-out")
    again = refitted(cut)
    assert len(again.train.events) == len(cut.train.events) + len(cut.validation.window.events)
    assert (len(again.validation), len(again.validation.window.events)) == (0, 0)
    np.testing.assert_array_equal(again.test.truth.values, cut.test.truth.values)


def test_the_page_says_what_lost_to_what(results):
    add(results, ["popular", "taste", "noise"])
    text = page(results)
    assert "## The board" in text
    assert "* taste is ahead of " in text
    assert "Figures from elsewhere **above** our best row: an oracle (1.0000)." in text
    order = [text.index(name) for name in ("an oracle (a dream)", "**taste**", "**popular**", "nothing (void)")]
    assert order == sorted(order)
    header = next(line for line in text.splitlines() if line.startswith("| | NDCG@10"))
    body = [line for line in text.splitlines() if line.startswith(("| **", "| an oracle", "| nothing"))]
    assert {line.count("|") for line in body} == {header.count("|")}


def test_held_out_items_are_nowhere_but_in_the_answers():
    data = checkerboard(n_users=200, n_items=42)
    cut = cold.cold_items_asked_last(data, Runtime())
    tested, validated = (set(holdout.candidates[0].tolist()) for holdout in (cut.test, cut.validation))
    assert not tested & validated
    assert (len(tested), len(validated)) == (4, 2)  # of 40 items with events
    for holdout in (cut.test, cut.validation):
        own = set(holdout.candidates[0].tolist())
        assert set(holdout.truth.values.tolist()) <= own
        assert all(set(row) == own for row in holdout.candidates.tolist())
        assert not set(holdout.known.events.item.tolist()) & (tested | validated)
        assert (holdout.queries().histories.lengths > 0).all()
        assert (holdout.truth.lengths == 1).all()
    assert not set(cut.train.events.item.tolist()) & (tested | validated)
    last = dict(zip(data.events.user.tolist(), data.events.item.tolist(), strict=True))
    assert [last[user] for user in cut.test.users.tolist()] == cut.test.truth.values.tolist()
    assert {user for user, item in last.items() if item in tested} == set(cut.test.users.tolist())


def test_candidates_stand_in_another_order_for_each_person():
    cut = cold.cold_items_asked_last(checkerboard(n_users=200, n_items=42), Runtime())
    assert len({tuple(row) for row in cut.test.candidates.tolist()}) > 5


def test_counts_of_answers_are_those_of_train():
    cut = leave_last_out(BOARD)
    counts = np.bincount(cut.train.events.item, minlength=BOARD.n_items)
    parts = running.by_count(cut.test, cut.train)
    assert sum(len(part.truth.values) for part in parts) == len(cut.test.truth.values)
    bounds = {"0-5": (0, 5), "6-20": (6, 20), "21-80": (21, 80), "81+": (81, 10**9)}
    for part in parts:
        low, high = bounds[part.name]
        assert ((counts[part.truth.values] >= low) & (counts[part.truth.values] <= high)).all()


def test_a_view_of_the_whole_catalogue_forgets_candidates():
    cut = cold.cold_items_asked_last(checkerboard(n_users=200, n_items=42), Runtime())
    whole = replace(VIEW, whole=True).seen_on(cut)
    assert whole.test.candidates is None
    assert whole.validation.candidates is None
    assert VIEW.seen_on(cut) is cut


def test_speeds_are_drawn_where_they_were_measured(results):
    assert "Speed and memory" not in page(results)
    rates = {"texts_per_s": {"sentence-transformers": 200.5, "palate": 1700.0}, "texts": 9000}
    rest = {"machine": {"threads": 2}, "cosine": {"least": 0.9999}}
    (results / "encode_speed.json").write_text(json.dumps({**rates, **rest}))
    text = page(results)
    assert "9,000 titles, 2 threads" in text
    assert "| palate | 1,700.0 |" in text
    assert "A million events" not in text


def test_what_int8_keeps_is_drawn_beside_bf16_where_it_was_measured(results):
    names, kept = ("torch fp32", "torch bf16", "onnx fp32", "onnx int8"), {"mean": 0.991, "low": 0.985, "high": 1.002}
    found = {
        "texts": 256,
        "texts_per_s": dict.fromkeys(names, 80.0) | {"onnx int8": 150.0},
        "ratio": dict.fromkeys(names, 1.0) | {"onnx int8": 1.88},
        "ratio to onnx": dict.fromkeys(names, 1.0) | {"onnx int8": 1.9},
        "cosine": {name: {"mean": 0.9992, "least": 0.998} for name in names},
        "top10": dict.fromkeys(names, 0.96),
        "int8 in another batch": 1.5e-7,
        "machine": {"instructions": ["avx2", "avx512_vnni"]},
        "lists": [
            {
                "split": "time",
                "parts": "test",
                "people": 81,
                "ndcg@10": {"fp32": 0.0528, "bf16": 0.0528, "int8": 0.0527},
                "kept": {"fp32": kept, "bf16": kept, "int8": kept | {"mean": 0.999}},
            }
        ],
    }
    (results / "int8.json").write_text(json.dumps(found))
    text = page(results)
    assert "256 film texts, the same batches, one processor (avx2, avx512 vnni)" in text
    assert "| onnx int8 | 150.0 | 1.88 (1.90) | 0.9992 (0.9980) | 0.960 |" in text
    assert "| split | people | NDCG@10 in fp32 | kept in bf16 | kept in int8 |" in text
    assert "| time, test | 81 | 0.0528 | 99.1% [98.5%, 100.2%] | 99.9% [98.5%, 100.2%] |" in text
