"""The report shows everything, needs no network and runs nobody else's markup."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from conftest import checkerboard
from evaluation.fakes import fit
from palate import evaluation
from palate.data.audit import Finding
from palate.errors import MissingExtraError
from palate.evaluation.conclusions import conclude
from palate.evaluation.experiment import experiment
from palate.evaluation.report import html, write
from palate.evaluation.result import Experiment

NASTY = "<script>alert('x')</script> $a$ & \"b\""
VOID = {"meta", "path", "use", "br"}


class Balance(HTMLParser):
    """Collects tags that are closed in the wrong order, and every address."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def found() -> Experiment:
    return experiment(checkerboard(n_users=60), ["taste", "noise"], fit=fit, split="leave-last-out", k=5)


@pytest.fixture(scope="module")
def page(found) -> str:
    return html(found)


def test_every_recipe_metric_slice_and_conclusion_is_in_the_report(found, page):
    for one in found.recipes:
        assert f'<th scope="row">{one.recipe}</th>' in page
        assert f"{one.test['ndcg@5'].mean:.3f}" in page
        for part in one.slices:
            assert part.name in page
    for metric in found.recipes[0].test:
        assert f">{metric}</th>" in page
    for text in (*found.notes, found.data["sha256"], found.environment["numpy"], "Holm", "MB"):
        assert text.replace("'", "&#x27;") in page
    assert page.count("<li>") >= len(found.conclusions)


def test_the_page_is_well_formed_and_needs_no_network(page):
    parser = Balance()
    parser.feed(page)
    assert parser.wrong == []
    assert parser.open == []
    assert all(address.startswith("#") for address in parser.addresses)
    assert not re.findall(r'url\((?!["\']?#)|@import|<link|<script', page)


def test_pictures_follow_the_pages_colours(page):
    assert page.count("<svg") >= 5
    assert "currentColor" in page
    assert "prefers-color-scheme: dark" in page


def test_names_and_texts_are_escaped(found):
    recipes = tuple(replace(one, recipe=NASTY) if one.recipe == "noise" else one for one in found.recipes)
    comparisons = tuple(replace(one, b=NASTY) if one.b == "noise" else one for one in found.comparisons)
    finding = Finding("x", "warn", NASTY)
    nasty = replace(
        found,
        recipes=recipes,
        comparisons=comparisons,
        findings=(finding,),
        notes=(NASTY,),
        environment={NASTY: NASTY},
        conclusions=conclude(found.metric, recipes, comparisons, ()),
    )
    page = html(nasty)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    parser = Balance()
    parser.feed(page)
    assert parser.wrong == []


def test_the_report_and_its_json_are_written_side_by_side(found, tmp_path):
    write(found, tmp_path / "out" / "report.html")
    assert (tmp_path / "out" / "report.html").read_text(encoding="utf8").startswith("<!doctype html>")
    assert Experiment.from_json((tmp_path / "out" / "report.json").read_text(encoding="utf8")).k == 5


def test_the_same_experiment_gives_the_same_page(found, page):
    assert html(found) == page


def test_without_matplotlib_the_extra_is_named(found, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "palate.evaluation.plots")
    monkeypatch.delattr(evaluation, "plots")
    with pytest.raises(MissingExtraError, match=r"palate\[report\]"):
        write(found, tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_one_recipe_alone_can_be_reported():
    page = html(experiment(checkerboard(), [], fit=fit, split="leave-last-out"))
    assert "<h1>popular</h1>" in page
    assert "<h2>Differences</h2>" not in page
