"""Slices part the answers as they say."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.data.split import leave_last_out
from palate.evaluation.slices import slices
from palate.metrics.accuracy import HitRate
from palate.types import Ragged, Slate


def parts(cut):
    return {one.name: one for one in slices(cut.test, cut.train)}


@pytest.fixture
def cut():
    return leave_last_out(checkerboard())


def test_each_group_but_language_parts_the_answers(cut):
    found = slices(cut.test, cut.train)
    for group in ("history", "popularity", "age"):
        total = sum(len(one.truth.values) for one in found if one.group == group)
        assert total == len(cut.test.truth.values)
    assert not [one for one in found if one.group == "language"]  # there is only one


@pytest.mark.parametrize(
    ("length", "name"),
    [
        (0, "0 events"),
        (1, "1-4 events"),
        (4, "1-4 events"),
        (5, "5-19 events"),
        (19, "5-19 events"),
        (20, "20+ events"),
    ],
)
def test_users_are_sliced_by_what_they_liked_before(cut, length, name):
    events = cut.test.known.events
    item, user = np.zeros(length, np.int32), np.zeros(length, np.int32)
    one = replace(
        events,
        user=user,
        item=item,
        time=np.arange(length) * 1.0,
        value=np.ones(length, np.float32),
        liked=np.ones(length, np.bool_),
    )
    holdout = replace(
        cut.test, users=np.zeros(1, np.int32), truth=Ragged.of([[3]]), known=replace(cut.test.known, events=one)
    )
    assert [part.name for part in slices(holdout, cut.train) if part.group == "history"] == [name]


def test_head_holds_half_of_the_likes_and_tail_the_never_seen(cut):
    item = np.repeat(np.arange(4), [5, 3, 1, 1]).astype(np.int32)  # shares before: 0, .5, .8, .9
    events = replace(
        cut.train.events,
        user=np.zeros(10, np.int32),
        item=item,
        time=np.zeros(10),
        value=np.ones(10, np.float32),
        liked=np.ones(10, np.bool_),
    )
    train = replace(cut.train, events=events)
    holdout = replace(cut.test, users=np.zeros(1, np.int32), truth=Ragged.of([[0, 1, 2, 3, 9]]))
    found = {part.name: part.truth[0].tolist() for part in slices(holdout, train)}
    assert (found["head items"], found["mid items"], found["tail items"]) == ([0], [1], [2, 3, 9])
    assert (found["new items"], found["known items"]) == ([9], [0, 1, 2, 3])


def test_chinese_titles_are_a_slice_where_both_languages_are_asked_for(cut):
    titles = list(cut.train.items.title)
    chinese = int(cut.test.truth.values[0])
    titles[chinese] = "流浪地球 2"
    train = replace(cut.train, items=replace(cut.train.items, title=tuple(titles)))
    found = {part.name: set(part.truth.values) for part in slices(cut.test, train) if part.group == "language"}
    assert found["Chinese titles"] == {chinese}
    assert chinese not in found["other titles"]


def test_a_metric_on_a_slice_sees_only_its_users(cut):
    slate = Slate(np.repeat(cut.test.truth.values[:1], len(cut.test))[:, None], np.ones((len(cut.test), 1), np.float32))
    part = parts(cut)["known items"]
    values = HitRate(1).per_user(slate, part.truth)
    assert np.array_equal(np.isnan(values), part.truth.lengths == 0)
