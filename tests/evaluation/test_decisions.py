"""What was decided while fitting, told to people."""

import re
from dataclasses import replace

import numpy as np
import pytest

import palate
from conftest import checkerboard
from palate.cli.options import seconds_of
from palate.errors import ConfigError
from palate.evaluation.decisions import sentences, trials

BOARD = checkerboard()


@pytest.fixture(scope="module")
def decisions():
    return palate.fit(BOARD, "classic").about["decisions"]


def test_what_was_decided_is_told_in_sentences(decisions):
    said = sentences(decisions)
    assert any(sentence.startswith("item-knn: ") and "settings" in sentence for sentence in said)
    used = f"used: {decisions['used']} of popular, transition, item-knn, ease, ials."
    assert any(sentence.endswith(used) for sentence in said)
    assert sentences({}) == []


def test_places_for_newcomers_are_told_with_what_they_cost(decisions):
    said = sentences({**decisions, "newcomers": {"every": 10, "ndcg@10": 0.25}})
    assert "Of 10 places, at least one is for items that nobody liked yet; with this, NDCG@10 0.2500." in said
    assert not any("Of 10 places" in sentence for sentence in sentences(decisions))


def test_parts_that_nobody_hears_are_told(decisions):
    assert sentences({**decisions, "not_needed": ("EASE",)})[-1] == "Not needed, and not in the model: ease."
    slow = sentences({**decisions, "too_slow": ("SequenceTrainer",), "members": ("EASE", "SequenceTrainer")})
    assert slow[0] == "Left out sequence: no time is left for it."
    assert any(sentence.endswith("of ease.") for sentence in slow)


def test_where_only_popularity_is_left_that_is_told_too():
    nobody = replace(BOARD, events=replace(BOARD.events, liked=np.zeros(len(BOARD.events), np.bool_)))
    said = sentences(palate.fit(nobody, "classic").about["decisions"])
    assert "Left out ease: nobody liked anything." in said


def test_every_setting_that_was_tried_has_a_line(decisions):
    lines = trials(decisions)
    assert len(lines) == len(decisions["trials"]) + 1
    assert re.fullmatch(r"  popular +0\.\d{4} +\d+\.\d  defaults", lines[1])
    assert trials({}) == []


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (None, np.inf)])
def test_times_are_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-3s", "0m", "ten minutes"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="write for example 90s, 10m or 1h"):
        seconds_of(text)


def test_a_budget_is_kept_and_what_did_not_fit_is_told():
    whole = palate.fit(BOARD, "classic").about["decisions"]
    cut = palate.fit(BOARD, "classic", budget=0.001).about["decisions"]
    assert len(cut["trials"]) < len(whole["trials"])
    assert len(cut["too_slow"]) >= 3
