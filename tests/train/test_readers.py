"""Rankers that read texts, tuned while a recipe is fitted: used where they help, told of where not."""

import numpy as np
import pytest

from conftest import checkerboard
from generate.tiny import tiny_model
from palate import build, store
from palate.errors import ConfigError
from palate.evaluation.decisions import sentences
from palate.rank.cross import CrossEncoder
from palate.rank.llm import LLMRanker
from palate.runtime import Runtime
from tiny import tiny_bert

CROSS = {
    "dtype": "fp32",  # in bf16 a network as small as this one learns or not by the last bit of a slate's scores
    "method": "full",
    "learning_rate": 5e-3,
    "epochs": 12,
    "patience": 12,
    "candidates": 18,
    "batch": 36,
    "last": 1,
}
LETTERS = {"how": "listwise", "depth": 10, "group": 4, "candidates": 18, "last": 0, "item_chars": 8, "item": "{title}"}
LETTERS |= {"dtype": "fp32", "epochs": 1, "lists": 20, "held_out": 40, "batch": 8}


@pytest.fixture(scope="module")
def board():
    return checkerboard(n_users=320)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(tiny_bert(tmp_path_factory.mktemp("bert")))


def fitted(board, reader, **options):
    recipe = build.Recipe(("popular",), {reader: options}, reader=reader)
    return build.fit(recipe, board, Runtime(seed=0, quiet=True), encoder="auto")


def test_a_cross_encoder_that_helps_reads_lists_of_the_catalogue_and_no_others(board, bert, tmp_path):
    made = fitted(board, "cross-encoder", model=bert, **CROSS)
    told = build.decisions(made)
    assert not told["reader"]["kept_order"]
    assert told["reader"]["held_out"]["low"] > 0
    assert isinstance(made.rankers[-1], CrossEncoder)
    assert not made.lists.rankers
    queries = board.queries(np.arange(40))
    taste = np.array([history[-1] % 2 for history in queries.histories])
    assert (made.recommend(queries, 1).slate.items[:, 0] % 2 == taste).mean() > 0.9
    assert any(
        line.startswith("Reading the first places: NDCG@10 of") and line.endswith("; used.") for line in sentences(told)
    )
    store.save(tmp_path / "model", made, {})
    again = store.load(tmp_path / "model", build.kinds()).recommend(queries, 5).slate
    assert np.array_equal(again.items, made.recommend(queries, 5).slate.items)


def test_one_that_learned_nothing_is_not_used_and_that_is_told(board, bert):
    made = fitted(board, "cross-encoder", model=bert, **{**CROSS, "epochs": 1, "learning_rate": 1e-9})
    assert not made.rankers
    assert any(line.endswith("; not used.") for line in sentences(build.decisions(made)))


def test_a_language_model_is_tuned_on_what_the_blend_shows(board, tmp_path):
    model = str(tiny_model(tmp_path / "llama"))
    made = fitted(board, "llm", model=model, **LETTERS)
    told = build.decisions(made)["reader"]
    assert told["lists"]["taught"] == 20
    assert [type(one) for one in made.rankers] == [LLMRanker] * told["used"]


def test_too_few_lists_leave_the_order_and_say_so(bert):
    made = build.fit(
        build.Recipe(("popular",), {"llm": LETTERS}, reader="llm"), checkerboard(n_users=180), Runtime(quiet=True)
    )
    line = next(one for one in sentences(build.decisions(made)) if one.startswith("Reading the first places"))
    assert "tuning needs 80" in line


def test_a_reader_that_cannot_be_is_left_out_or_refused(board):
    recipe = build.Recipe(("popular",), reader="cross-encoder")
    made = build.fit(recipe, board, Runtime(quiet=True), encoder="hashing")
    assert build.decisions(made)["left_out"] == {"cross-encoder": "the hashing encoder has nothing to tune"}
    with pytest.raises(ConfigError, match='recipe reader "magic": unknown; known: cross-encoder, llm'):
        build.named(build.Recipe(("popular",), reader="magic"))
