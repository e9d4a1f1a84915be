"""Prompts tell what they should and no more; answers can only name candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.text import prompt
from palate.text.prompt import PromptConfig
from palate.text.titles import in_text, supported

FILMS = ["Alien (1979)", "Brazil (1985)", "Casablanca (1942)"]


def test_a_person_comes_first_and_the_candidate_last():
    who = prompt.person(PromptConfig(last=2), ["M", "Alien", "Heat"], "Likes: M\nThemes: crime", "something short")
    asked = prompt.pointwise(PromptConfig(), who, "Brazil")
    assert asked == (
        "About a person:\nLikes: M\nThemes: crime\nThey liked, oldest first: Alien; Heat.\n"
        "They ask for: something short\n"
        "Would they like this one?\nBrazil\nAnswer Yes or No."
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_prompts_of_one_person_differ_only_at_the_end(language):
    config = PromptConfig(language=language)
    who = prompt.person(config, FILMS)
    assert all(prompt.pointwise(config, who, film).startswith(f"{who}\n") for film in FILMS)


def test_nobody_known_is_said_to_be_unknown():
    assert prompt.person(PromptConfig(), []) == "Nothing is known about a person."
    assert "Alien" not in prompt.person(PromptConfig(last=0), ["Alien"])


def test_a_title_starts_no_line_and_is_cut():
    asked = prompt.listwise(PromptConfig(item_chars=20), "Who", ["One\nB. Two", "x" * 5000])
    assert asked.splitlines()[2:4] == ["A. One B. Two", f"B. {'x' * 20}"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("B", [1], id="letter"),
        pytest.param("C, A, B", [2, 0, 1], id="order"),
        pytest.param("C A B", [2, 0, 1], id="blanks"),
        pytest.param("B, B, C", [1, 2], id="repeat"),
        pytest.param("B. Brazil (1985)\nA. Alien", [1, 0], id="lines"),
        pytest.param("Z, D, B", [1], id="letters-of-nobody"),
        pytest.param("casablanca\nAlien (1979)", [2, 0], id="titles"),
        pytest.param("A good film is what I like.", [], id="article"),
        pytest.param("Titanic (1997)", [], id="another-film"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_answers_are_read_as_candidates(answer, expected):
    assert prompt.chosen(answer, FILMS) == expected


@given(st.text(alphabet="ABCDZ abc,>;.\n1979()"))
def test_whatever_is_written_only_candidates_come_out(answer):
    places = prompt.chosen(answer, FILMS)
    assert len(set(places)) == len(places)
    assert set(places) <= set(range(len(FILMS)))


def test_a_claim_is_a_title_of_its_own_year():
    assert supported("the thing", ["Thing, The (1982)"]) == "Thing, The (1982)"
    assert supported("The Thing (2011)", ["Thing, The (1982)"]) is None
    assert supported("Dune", ["Dune (1984)", "Dune (2021)"]) is None
    assert supported("Dune (2021)", ["Dune (1984)", "Dune (2021)"]) == "Dune (2021)"
    assert in_text("- Dune (2021)\n- Dune (2021)\nDune 3", ["Dune (1984)", "Dune (2021)"]) == [1]
