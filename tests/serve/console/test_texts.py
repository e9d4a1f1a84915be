"""Every sentence is there in each language, and pages use none that is not."""

import re
from dataclasses import fields
from importlib.resources import files
from string import Formatter

import pytest
from starlette.requests import Request

from palate.serve.console import chinese, english
from palate.serve.console.texts import preferred
from palate.serve.course import STAGES
from palate.serve.settings import ServeConfig

HOME = files("palate.serve.console")
TEMPLATES = sorted((one.name, one.read_text(encoding="utf8")) for one in (HOME / "templates").iterdir())
CODE = [one.read_text(encoding="utf8") for one in (HOME / "pages").iterdir() if one.name.endswith(".py")]
BY_NAME = (
    "page.",
    "done.",
    "role.",
    "basis.",
    "what.",
    "why.",
    "stage.",
    "state.",
    "training.",
    "signal.",
    "advice.",
    "fact.",
    "quality.",
    "try.by_",
)
CODE.append((HOME / "mount.py").read_text(encoding="utf8"))


def test_both_languages_have_the_same_sentences_in_the_same_order():
    assert list(english.TEXTS) == list(chinese.TEXTS)
    assert all(english.TEXTS.values())
    assert all(chinese.TEXTS.values())


@pytest.mark.parametrize("key", english.TEXTS)
def test_both_have_the_same_gaps(key):
    gaps = [
        {name for _, name, _, _ in Formatter().parse(texts[key]) if name} for texts in (english.TEXTS, chinese.TEXTS)
    ]
    assert gaps[0] == gaps[1]


def test_what_is_written_in_chinese_is_chinese():
    latin = {key for key, text in chinese.TEXTS.items() if not re.search(r"[\u4e00-\u9fff]", text)}
    assert latin == {"name", "unit.utc", "column.p50", "column.p95", "item.id"}


@pytest.mark.parametrize(("name", "text"), TEMPLATES)
def test_templates_use_known_sentences_alone(name, text):
    whole = set(re.findall(r"""\bt\(["']([\w.+-]+)["'][,)]""", text))
    assert whole <= set(english.TEXTS)
    for start in re.findall(r"""\bt\(["']([\w.+-]+\.)["'] ~""", text):
        assert any(key.startswith(start) for key in english.TEXTS)


def test_pages_use_known_sentences_alone():
    for text in CODE:
        assert set(re.findall(r'\.t\("([\w.]+)"', text)) <= set(english.TEXTS)
        assert {f"done.{key}" for key in re.findall(r'visit\.to\("[^"]+", "(\w+)"', text)} <= set(english.TEXTS)


def test_no_sentence_is_left_over():
    used = "".join([*(text for _, text in TEMPLATES), *CODE])
    for key in english.TEXTS:
        assert f'"{key}"' in used or f"'{key}'" in used or key.startswith(BY_NAME), key


def test_stages_that_can_be_left_out_have_names():
    assert {f"stage.{stage}" for stage in STAGES} <= set(english.TEXTS)
    assert {f"what.{stage}_deadline" for stage in STAGES} <= set(english.TEXTS)


def test_options_are_told_of_that_there_are():
    assert set(chinese.OPTIONS) == {one.name for one in fields(ServeConfig)}


@pytest.mark.parametrize(
    ("cookie", "header", "expected"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "de, zh;q=0.5, en;q=0.7", "en"),
        ("", "fr-CA, de", "en"),
        ("", "zh;q=0", "en"),
        ("", "zh;q=x, en;q=nan", "en"),
        ("zh", "en", "zh"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_language_is_what_was_chosen_or_what_the_browser_asks_for(cookie, header, expected):
    given = [(b"accept-language", header.encode()), (b"cookie", f"palate_language={cookie}".encode())]
    assert preferred(Request({"type": "http", "headers": given})) == expected


def test_the_language_is_switched_and_stays(admin):
    answer = admin.post("/language", to="zh", back="/console/items?q=volume")
    assert answer.url.path == "/console/items"
    assert '<html lang="zh">' in answer.text
    assert "标题包含：volume" in answer.text
    assert "数据质量" in admin.get("/quality").text
    assert '<html lang="zh">' in admin.post("/language", to="xx", back="/console/").text


def test_the_language_is_switched_on_what_became_of_a_form(admin):
    page = admin.post("/keys/make", "/keys", name="", role="viewer")
    assert page.status_code == 422
    assert re.search(r'name="back" value="([^"]+)"', page.text)[1] == "/console/"


def test_every_page_can_be_had_in_chinese(admin):
    admin.client.headers["accept-language"] = "zh"
    for path in ("/", "/try?by=text&for=cakes", "/items", "/item?id=i1", "/item/new", "/quality", "/versions"):
        assert admin.get(path).status_code == 200
    for path in ("/experiments", "/events", "/settings", "/keys"):
        assert admin.get(path).status_code == 200
