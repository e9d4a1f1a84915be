"""The public surface: ids and frames in, ids and frames out, the same after saving and in a fresh process."""

import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import palate
from conftest import checkerboard
from palate import build
from palate.errors import ConfigError, DataError, PalateWarning, UnknownIdError
from palate.runtime import Runtime

BOARD = checkerboard()


@pytest.fixture(scope="module")
def model():
    return palate.fit(BOARD, "balanced", encoder="hashing")


def taste(item_ids):
    return {int(name[1:]) % 2 for name in item_ids}


def test_lists_have_the_promised_columns_and_ranks_from_one(model):
    frame = model.recommend(["u0", "u1"], k=3)
    assert frame.columns == ["user_id", "rank", "item_id", "score"]
    assert frame["rank"].to_list() == [1, 2, 3, 1, 2, 3]
    assert taste(frame.filter(pl.col("user_id") == "u0")["item_id"]) == {0}
    assert taste(frame.filter(pl.col("user_id") == "u1")["item_id"]) == {1}


def test_what_a_user_had_is_left_out_unless_told_otherwise(model):
    had = {BOARD.items.ids.ids[item] for item in BOARD.histories()[0]}
    assert not had & set(model.recommend("u0", k=20)["item_id"])
    assert had & set(model.recommend("u0", k=20, include_seen=True)["item_id"])


def test_a_stranger_is_answered_from_a_text(model):
    frame = model.recommend(text="a wedding and true love", k=4, explain=True)
    assert taste(frame["item_id"]) == {1}
    assert frame["basis"].to_list() == ["text"] * 4
    assert frame["user_id"].to_list() == [None] * 4
    assert "a wedding and true love" in frame["reasons"][0][0]


def test_a_stranger_is_answered_from_a_history(model):
    frame = model.recommend(history=["i1", "i3"], k=3, explain=True)
    assert taste(frame["item_id"]) == {1}
    assert frame["basis"].to_list() == ["history"] * 3
    assert "Because you liked" in frame["reasons"][0][0]


def test_where_trees_decide_each_row_tells_what_every_part_adds_to_its_score(with_trees):
    frame = with_trees.recommend(["u0", "u1"], k=5, explain=True)
    names = ["history length", "weighted sum", "Transition", "ItemKNN", "EASE", "expected"]
    for parts, score in zip(frame["parts"].to_list(), frame["score"], strict=True):
        assert [one["part"] for one in parts] == names
        assert sum(one["contribution"] for one in parts) == pytest.approx(score, abs=1e-5)
    assert "parts" not in with_trees.recommend(["u0"], k=5).columns


def test_where_trees_leave_the_order_as_it_is_no_part_is_credited(with_trees):
    assert with_trees.recommend(text="true love", k=2, explain=True)["parts"].to_list() == [[], []]


def test_a_model_without_trees_credits_no_parts(model):
    assert model.recommend(["u0"], k=2, explain=True).columns[-1] == "reasons"


def test_an_unknown_user_gets_what_is_popular_and_a_word_about_it(model):
    with pytest.warns(PalateWarning, match=r"1 unknown user\(s\) answered from popularity: nobody"):
        frame = model.recommend(["nobody"], k=5)
    assert len(frame) == 5


def test_rules_hold_in_lists_that_stay_full(model):
    frame = model.recommend(["u0"], k=4, where={"shelf": "B"}, deny=["i1"])
    assert len(frame) == 4
    assert taste(frame["item_id"]) == {1}
    assert "i1" not in set(frame["item_id"])


def test_candidates_are_ranked_and_nothing_else(model):
    wanted = pd.DataFrame({"user_id": ["u0", "u0", "u1"], "item_id": ["i1", "i2", "i4"]})
    frame = model.recommend(candidates=wanted)
    assert isinstance(frame, pd.DataFrame)
    assert frame["item_id"].tolist() == ["i2", "i1", "i4"]


@pytest.mark.parametrize("made", ["model", "with_trees"])
def test_scores_agree_with_lists_and_keep_the_order_of_the_pairs(made, request):
    model = request.getfixturevalue(made)
    best = pl.concat([model.recommend(["u0"], k=5), model.recommend(["u3"], k=3)])
    pairs = best.select("user_id", "item_id").reverse()
    scored = model.score(pairs)
    assert scored.columns == ["user_id", "item_id", "score"]
    np.testing.assert_allclose(scored["score"], best["score"].reverse(), atol=1e-5)


def test_a_pair_that_stands_twice_is_scored_twice_and_no_pair_not_at_all(with_trees):
    pairs = pl.DataFrame({"user_id": ["u0", "u1", "u0"], "item_id": ["i19", "i19", "i19"]})
    scores = with_trees.score(pairs)["score"].to_list()
    assert len(scores) == 3
    assert scores[0] == scores[2]
    assert len(with_trees.score(pairs.clear())) == 0


def test_similar_items_share_the_taste_and_leave_out_the_item(model):
    frame = model.similar(["i2"], k=4)
    assert frame.columns == ["item_id", "rank", "similar_item_id", "score"]
    assert taste(frame["similar_item_id"]) == {0}
    assert "i2" not in set(frame["similar_item_id"])


def test_an_item_without_events_is_found_by_its_text(model):
    shown = model.recommend(text="space ships and distant planets, volume 18", k=10)["item_id"]
    assert "i18" in set(shown)
    assert taste(shown) == {0}


def test_saving_changes_no_bit(model, tmp_path):
    model.save(tmp_path / "model")
    again = palate.load(tmp_path / "model")
    users = list(BOARD.users.ids.ids)
    assert again.recommend(users, k=7).equals(model.recommend(users, k=7))
    assert again.recommend(text="love", k=7, explain=True).equals(model.recommend(text="love", k=7, explain=True))
    assert again.about["data"] == BOARD.fingerprint()


def test_a_batch_answers_as_its_members_do_alone(model):
    users = list(BOARD.users.ids.ids)
    alone = pl.concat([model.recommend([name], k=6) for name in users])
    together = model.recommend(users, k=6)
    assert together["item_id"].to_list() == alone["item_id"].to_list()
    np.testing.assert_allclose(together["score"], alone["score"], atol=1e-5)


FRESH = """
import sys, palate
from conftest import checkerboard
palate.fit(checkerboard(), "balanced", encoder="hashing", seed=3).save(sys.argv[1])
"""


def test_a_fresh_process_with_the_same_seed_makes_the_same_model(tmp_path):
    for name in ("one", "two"):
        command = [sys.executable, "-c", FRESH, str(tmp_path / name)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)})
    first, second = ((tmp_path / name / "arrays.safetensors").read_bytes() for name in ("one", "two"))
    assert first == second


@pytest.mark.parametrize(
    ("ask", "error", "complaint"),
    [
        pytest.param({}, ConfigError, "give users, a text, a history or candidates", id="nothing"),
        pytest.param({"users": ["u0"], "k": 0}, ConfigError, "k: 0 is below 1", id="k"),
        pytest.param({"history": ["nope"]}, UnknownIdError, 'item "nope" is not known', id="unknown-item"),
        pytest.param({"users": ["u0"], "history": ["i1"]}, ConfigError, "leave out users or history", id="both"),
        pytest.param({"candidates": pl.DataFrame({"user_id": ["u0"]})}, DataError, "no column item_id", id="column"),
        pytest.param({"users": ["u0"], "where": {"colour": "red"}}, ConfigError, "no such attribute", id="attribute"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(model, ask, error, complaint):
    with pytest.raises(error, match=complaint):
        model.recommend(**ask)


def test_every_recipe_fits_and_answers_everybody():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PalateWarning)
        for recipe in build.RECIPES.keys() - {"tuned-dense"}:
            frame = palate.fit(BOARD, recipe, encoder="hashing").recommend(["u0", "nobody"], k=2)
            assert len(frame) == 4, recipe


def test_hashing_has_nothing_to_tune():
    with pytest.raises(ConfigError, match="hashing encoder has nothing to tune"):
        palate.fit(BOARD, "tuned-dense", encoder="hashing")
    left_out = palate.fit(BOARD, "tuned", encoder="hashing").about["decisions"]["left_out"]
    assert left_out["tuned-dense"] == "the hashing encoder has nothing to tune"


def test_an_unknown_recipe_or_part_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match='recipe "best": unknown; known: popular'):
        palate.fit(BOARD, "best")
    with pytest.raises(ConfigError, match='recipe part "magic": unknown'):
        build.named(build.Recipe(("magic",)))
    with pytest.raises(ConfigError, match=r"ease\.lambda: unknown option"):
        build.fit(build.Recipe(("ease",), {"ease": {"lambda": 3}}), BOARD, Runtime())


def test_variety_changes_lists_and_is_saved_with_the_model(tmp_path):
    plain = palate.fit(BOARD, "item-knn")
    model = palate.fit(BOARD, "item-knn", encoder="hashing", diversify={"mmr": 0.6, "calibrate": 0.3})
    users = list(BOARD.users.ids.ids)
    varied = model.recommend(users, k=5)
    assert not varied.equals(plain.recommend(users, k=5))
    model.save(tmp_path / "model")
    again = palate.load(tmp_path / "model")
    assert again.recommend(users, k=5).equals(varied)
    assert again.about["diversify"] == {"mmr": 0.6, "calibrate": 0.3}


def test_no_strength_changes_no_list():
    users = list(BOARD.users.ids.ids)
    plain = palate.fit(BOARD, "item-knn").recommend(users, k=5)
    assert palate.fit(BOARD, "item-knn", diversify={"depth": 3}).recommend(users, k=5).equals(plain)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        pytest.param({"mrr": 0.3}, r"diversify\.mrr: unknown option; known: alike, attribute, calibrate", id="name"),
        pytest.param({"mmr": 3}, r"diversify: DiversifyConfig\.mmr: 3.0 is above 1.0", id="range"),
        pytest.param({"calibrate": 0.3, "attribute": "genre"}, '"genre": no column of the items; choose', id="column"),
    ],
)
def test_a_wrong_wish_for_variety_is_told_what_is_wrong(values, complaint):
    with pytest.raises(ConfigError, match=complaint):
        palate.fit(BOARD, "item-knn", diversify=values)


def test_importing_palate_loads_nothing_heavy():
    code = "import sys, palate; print([m for m in ('numpy', 'polars', 'torch', 'pandas') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_parts_that_the_data_cannot_feed_are_left_out_with_the_reason():
    silent = replace(BOARD.items, title=("",) * 20, description=("",) * 20, tags=("",) * 20)
    timeless = replace(BOARD, items=silent, events=replace(BOARD.events, clock="none"))
    reasons = build.unfed(build.RECIPES["balanced"].parts, timeless)
    assert sorted(reasons) == ["bm25", "dense", "sequence", "transition"]
    assert reasons["transition"] == "the log has neither times nor an order"
    assert reasons["dense"] == "the items have no texts"
    assert "likes are too few" in build.unfed(("sequence",), BOARD)["sequence"]
    model = palate.fit(timeless, "balanced")
    assert model.about["decisions"]["left_out"] == reasons
    assert len(model.recommend(["u0"], k=3)) == 3
