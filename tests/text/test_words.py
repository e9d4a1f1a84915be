"""Words and phrases of texts in scripts with and without blanks."""

import pytest

from palate.text.words import terms, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Straße, STRASSE", ["strasse", "strasse"], id="casefolded"),
        pytest.param("ＡＢＣ １２", ["abc", "12"], id="full-width"),
        pytest.param("東京tower", ["東", "京", "東京", "tower"], id="mixed"),
        pytest.param("한국 영화", ["한국", "영화"], id="korean-has-spaces"),
        pytest.param("!? ", [], id="nothing"),
    ],
)
def test_words_of_a_text(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "Hard-boiled egg. Milk", ["hard", "boiled", "egg", "hard boiled", "boiled egg", "milk"], id="stop"
        ),
        pytest.param("東京 tower", ["東", "京", "東京", "tower"], id="no-phrase-across-scripts"),
        pytest.param("(Red) / Blue", ["red", "blue"], id="brackets"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_phrases_do_not_reach_across_punctuation(text, expected):
    assert terms(text) == expected
