"""What tells texts apart, by hand."""

import numpy as np

from palate.text.telling import contrasted, telling


def test_rare_words_come_before_frequent_ones():
    texts = ["salt fish", "salt fish", "salt", "milk"]
    assert telling(texts, least=1, share=1.0)[0] == ("salt fish",)  # before its equal "fish"; "salt" repeats it
    assert telling(texts, least=2, share=0.5)[0] == ("fish",)  # 3 of 4 say "salt"; so no phrase with it either
    assert telling(texts, least=2, share=0.5)[3] == ()


def test_a_repeated_word_counts_more_than_once():
    assert telling(["egg. ham. ham", "egg. ham", "."], least=1, share=1.0)[0][0] == "ham"


def test_numbers_and_single_characters_name_nothing():
    assert telling(["9 x 雨の", "9 x 雨の", ""], least=1, share=1.0)[0] == ("雨の",)


def test_a_word_of_one_kind_stands_out_with_enough_texts():
    kind = np.array([True, False] * 10)
    texts = ["good pan", "bad pan"] * 10
    groups = [0, 1] * 10
    # good: 10 of 10 against 0 of 10; z = 2 ln 21 / sqrt(1/10.5 + 1/.5) = 4.2; pan: 0
    assert contrasted(texts, kind, groups, 3, share=0.5) == [("good",), ("bad",), ()]
    # 1 of 1 against 0 of 1; z = 2 ln 3 / sqrt(1/1.5 + 1/.5) = 1.35, below 1.96
    assert contrasted(texts[:2], kind[:2], groups[:2], 3, share=0.5) == [(), (), ()]


def test_without_both_kinds_nothing_stands_out():
    assert contrasted(["good"], np.array([True]), [0], 2, share=1.0) == [(), ()]
    assert contrasted([], np.zeros(0, np.bool_), [], 2, share=1.0) == [(), ()]
