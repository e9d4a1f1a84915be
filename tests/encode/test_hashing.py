"""The model-free encoder against an independent SVD and counts made by hand."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from palate.encode.hashing import HashingConfig, HashingEncoder
from palate.runtime import Runtime

FILMS = ("space ship", "space station", "love story", "love letter", "流浪地球", "流浪太阳")


def fitted(texts: tuple[str, ...] = FILMS, seed: int = 0, **options: Any) -> HashingEncoder:
    return HashingEncoder(HashingConfig(**options)).fit(texts, Runtime(seed=seed))


def grams(text: str, shortest: int, longest: int) -> Counter[str]:
    """Character n-grams counted one by one."""
    padded = f" {text} "
    return Counter(padded[i : i + n] for n in range(shortest, longest + 1) for i in range(len(padded) - n + 1))


def test_at_full_width_cosines_are_those_of_tf_idf_itself():
    counts = [grams(text, 2, 3) for text in FILMS]
    used = Counter(gram for count in counts for gram in count)
    vocabulary = sorted(used)
    idf = np.array([np.log(7 / (1 + used[gram])) + 1 for gram in vocabulary])
    rows = (
        np.array([[1 + np.log(count[gram]) if gram in count else 0.0 for gram in vocabulary] for count in counts]) * idf
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = fitted(dim=6, shortest=2, longest=3).encode(FILMS, role="item")
    np.testing.assert_allclose(vectors @ vectors.T, rows @ rows.T, atol=1e-4)


def test_chinese_that_shares_two_characters_is_found():
    vectors = fitted(dim=3).encode(["流浪地球", "流浪太阳", "love story"], role="item")
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.1


def test_of_words_only_whole_ones_count_and_neighbours_are_told_apart():
    films = ("red car", "car red", "reddish cars", "blue car")
    vectors = fitted(films, dim=4, unit="words", shortest=1, longest=2).encode(films, role="item")
    told = vectors @ vectors.T
    used = np.log(5 / np.array([3, 4, 2])) + 1  # idf of red, of car, and of a word or pair that one film has
    alike = (used[:2] ** 2).sum() / (used**2).sum()
    assert told[0, 1] == pytest.approx(alike, abs=1e-4)
    assert told[0, 2] == pytest.approx(0, abs=1e-4)


def test_case_and_width_do_not_matter():
    encoder = fitted()
    np.testing.assert_array_equal(
        encoder.encode(["SPACE  ｓhip"], role="item"), encoder.encode(["space ship"], role="item")
    )


def test_a_text_that_shares_nothing_with_the_catalogue_is_zero():
    assert not fitted().encode(["qzx"], role="query").any()


def test_the_first_large_entry_of_every_axis_is_positive_whatever_the_seed():
    first, second = fitted(seed=1, dim=3), fitted(seed=2, dim=3)
    np.testing.assert_allclose(first.encode(FILMS, role="item"), second.encode(FILMS, role="item"), atol=1e-4)


@pytest.mark.parametrize("texts", [(), ("",), ("", ""), ("one",), ("one", "one"), ("one", "two")], ids=len)
def test_a_catalogue_smaller_than_the_vectors_is_enough(texts):
    encoder = fitted(texts, dim=128)
    vectors = encoder.encode(["one", ""], role="item")
    assert vectors.shape[0] == 2
    assert 1 <= vectors.shape[1] <= max(1, len(texts))
    assert bool(vectors[0].any()) == ("one" in texts)
