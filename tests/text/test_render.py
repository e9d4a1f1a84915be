"""Item, history and user texts against texts written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.errors import ConfigError
from palate.text.render import RenderConfig, history_texts, item_texts, render, user_texts
from palate.types import Ragged


def catalogue(title: str, description: str = "", tags: str = "", **attributes: str) -> Catalogue:
    columns = {name: (value,) for name, value in attributes.items()}
    return Catalogue(IdMap(("i0",)), (title,), (description,), (tags,), columns)


def shop(declared: str = "", reviews: tuple[str, ...] = ()) -> Dataset:
    """One person who liked a, b and then a again, of the items a, b, c."""
    items = Catalogue(IdMap(("a", "b", "c")), ("Alien", "Brazil", "流浪地球"), ("",) * 3, ("",) * 3)
    events = Events(
        user=np.zeros(4, np.int32),
        item=np.array([0, 1, 2, 0], np.int32),
        time=np.arange(4.0),
        value=np.ones(4, np.float32),
        liked=np.array([True, True, False, True]),
        text=reviews,
    )
    return Dataset(items, People(IdMap(("u",)), (declared,)), events)


@pytest.mark.parametrize(
    ("title", "description", "tags", "expected"),
    [
        pytest.param("Alien", "A crew meets it", "horror", "Alien. A crew meets it horror", id="everything"),
        pytest.param("Alien", "", "horror", "Alien. horror", id="no-description"),
        pytest.param("Alien", "", "", "Alien", id="title-only"),
        pytest.param("", "", "horror", "horror", id="tags-only"),
        pytest.param("", "", "", "", id="nothing"),
        pytest.param("Who's there?", "A play.", "", "Who's there? A play.", id="title-ends-a-sentence"),
        pytest.param("  Two\n lines ", "", "\t", "Two lines", id="white-space"),
        pytest.param("Star Wars: a (new) hope...", "", "", "Star Wars: a (new) hope...", id="own-punctuation-stays"),
        pytest.param("流浪地球。", "太阳即将毁灭", "科幻 灾难", "流浪地球。 太阳即将毁灭 科幻 灾难", id="chinese"),
        pytest.param("A {tags} title", "", "x", "A {tags} title. x", id="braces-in-a-value-stay"),
    ],
)
def test_the_default_template_leaves_out_what_is_empty(title, description, tags, expected):
    assert item_texts(catalogue(title, description, tags)) == (expected,)


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        pytest.param("{title} ({shelf})", {"title": "Alien", "shelf": "A"}, "Alien (A)", id="full"),
        pytest.param("{title} ({shelf})", {"title": "Alien", "shelf": " "}, "Alien", id="empty-brackets"),
        pytest.param("{a}, {b}, {c}.", {"a": "x", "b": "", "c": "z"}, "x, z", id="one-comma"),
        pytest.param("{a}：{b}，{c}", {"a": "片名", "b": "", "c": "科幻"}, "片名：科幻", id="chinese-separators"),
        pytest.param("{a} | {b}", {"a": "", "b": "y"}, "y", id="leading-separator"),
        pytest.param("{a}.{b}", {"a": "x", "b": "{a}."}, "x.{a}.", id="values-are-not-templates"),
    ],
)
def test_separators_go_with_the_field_they_belong_to(template, values, expected):
    assert render(template, values) == expected


def test_a_template_may_name_any_column():
    assert item_texts(catalogue("Alien", shelf="A3"), RenderConfig(item="{title} ({shelf})")) == ("Alien (A3)",)


@pytest.mark.parametrize("template", ["{title} {shop}", "{title", "no field", "{title} }"])
def test_a_bad_template_names_the_known_columns(template):
    with pytest.raises(ConfigError, match=r"\{title\}, \{description\}, \{tags\}, \{shelf\}"):
        item_texts(catalogue("Alien", shelf="A3"), RenderConfig(item=template))


def test_texts_are_cut_by_characters():
    assert item_texts(catalogue("流浪地球的故事"), RenderConfig(max_chars=4)) == ("流浪地球",)
    assert user_texts(shop("science fiction"), np.array([0]), RenderConfig(max_chars=7)) == ("science",)


def test_a_history_names_the_last_titles_once_with_the_newest_at_the_end():
    titles = ("Alien", "Brazil", "Casablanca")
    histories = Ragged.of([[0, 1, 2, 0], [1], []])
    assert history_texts(histories, titles, RenderConfig(last=2)) == ("Casablanca; Alien", "Brazil", "")
    assert history_texts(histories, titles, RenderConfig(last=0)) == ("", "", "")


def test_where_a_history_is_too_long_the_oldest_titles_go():
    histories = Ragged.of([[0, 1, 2]])
    assert history_texts(histories, ("Alien", "Brazil", "Cube"), RenderConfig(max_chars=12)) == ("Brazil; Cube",)
    assert history_texts(histories, ("Alien", "Brazil", "Cube"), RenderConfig(max_chars=11)) == ("Cube",)
    assert history_texts(histories, ("Alien", "Brazil", "Cube"), RenderConfig(max_chars=3)) == ("Cub",)


def test_a_person_is_declared_text_then_liked_titles_then_own_reviews():
    reviews = ("scary", "", "bad", "even better!")
    texts = user_texts(shop("I like science fiction", reviews), np.array([0]), RenderConfig(reviews=2))
    assert texts == ("I like science fiction. Brazil; Alien. even better! bad",)


def test_a_person_without_words_is_what_they_liked():
    assert user_texts(shop(), np.array([0])) == ("Brazil; Alien",)


def test_users_come_in_the_order_asked_for():
    board = checkerboard()
    texts = user_texts(board, np.array([3, 0]))
    assert "wedding" in texts[0]
    assert "space" in texts[1]
    assert user_texts(board, np.array([0])) == (texts[1],)


def test_reviews_of_others_are_not_read():
    board = checkerboard(n_users=2)
    said = tuple(f"said by {user}" for user in board.events.user)
    talking = replace(board, events=replace(board.events, text=said))
    first, second = user_texts(talking, np.array([0, 1]))
    assert "said by 0" in first
    assert "said by 1" not in first
    assert "said by 1" in second
