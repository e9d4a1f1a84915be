"""BM25 by hand: three texts of 2, 3 and 1 words, mean 2; k1 = 1.5, b = 0.75."""

from math import log

import bm25s
import numpy as np
import pytest

from palate.retrieve.lexical import Lexical, LexicalConfig
from retrieve.fakes import asking, dataset

TITLES = ["red nail", "red red polish", "blue"]
NAIL = log(1 + (3 - 1 + 0.5) / (1 + 0.5)) * 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / 2))
RED = log(1 + (3 - 2 + 0.5) / (2 + 0.5))
RED_0, RED_1 = RED * 1 / (1 + 1.5 * (0.25 + 0.75 * 2 / 2)), RED * 2 / (2 + 1.5 * (0.25 + 0.75 * 3 / 2))


@pytest.fixture
def lexical(runtime):
    return Lexical().fit(dataset([[0]], 3, titles=TITLES), runtime)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param("Nail!", [NAIL, 0, 0], id="one-word"),
        pytest.param("red", [RED_0, RED_1, 0], id="a-word-in-two-texts"),
        pytest.param("red nail red", [2 * RED_0 + NAIL, 2 * RED_1, 0], id="asked-for-twice"),
        pytest.param("green", [0, 0, 0], id="an-unknown-word"),
    ],
)
def test_scores_match_hand_arithmetic(lexical, wish, expected):
    assert lexical.scores(asking(wishes=[wish]))[0] == pytest.approx(expected, abs=1e-6)


def test_the_vocabulary_is_the_same_in_every_process(lexical):
    assert lexical.vocabulary_.ids == ("blue", "nail", "polish", "red")


def test_without_a_wish_the_titles_of_the_history_ask(lexical):
    assert lexical.scores(asking([0]))[0] == pytest.approx([RED_0 + NAIL, RED_1, 0], abs=1e-6)


def test_a_wish_goes_before_the_history(lexical):
    scores = lexical.scores(asking([0], wishes=["blue"]))
    assert (scores > 0).tolist() == [[False, False, True]]


def test_only_the_last_titles_ask(runtime):
    data = dataset([[0]], 3, titles=TITLES)
    lexical = Lexical(LexicalConfig(last=1)).fit(data, runtime)
    assert (lexical.scores(asking([2, 0])) == lexical.scores(asking([0]))).all()


def test_scores_are_those_of_bm25s(runtime):
    rng = np.random.default_rng(0)
    titles = [" ".join(rng.choice(["ant", "bee", "cat", "dog", "elk"], size=rng.integers(1, 8))) for _ in range(30)]
    lexical = Lexical().fit(dataset([[0]], 30, titles=titles), runtime)
    index = bm25s.BM25()
    index.index([title.split() for title in titles], show_progress=False)
    found = lexical.scores(asking(wishes=["cat elk"]))[0]
    assert found == pytest.approx(index.get_scores(["cat", "elk"]), abs=1e-6)


def test_chinese_is_found_inside_a_longer_text(runtime):
    lexical = Lexical().fit(dataset([[0]], 3, titles=["流浪地球", "三体：科幻小说", "love"]), runtime)
    assert lexical.retrieve(asking(wishes=["想看科幻"]), 1).items.tolist() == [[1]]


def test_a_catalogue_without_a_word_scores_nothing(runtime):
    lexical = Lexical().fit(dataset([[0]], 2, titles=["", "!"]), runtime)
    assert lexical.scores(asking([1], wishes=["red"])).tolist() == [[0, 0]]
