"""A draft is fair to both rankers whatever they rank, and people's preferences are counted by person."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from palate.evaluation.interleaving import Draft, preference, team_draft, winner

RANKED = st.lists(st.integers(0, 30), max_size=15, unique=True)
KEYS = st.text(max_size=8)


@given(RANKED, RANKED, st.integers(0, 20), KEYS)
def test_items_are_distinct_and_come_from_the_lists(a, b, k, key):
    drafted = team_draft(a, b, k, key)
    assert len(set(drafted.items)) == len(drafted.items) == len(drafted.teams) == min(k, len({*a, *b}))
    assert set(drafted.items) <= {*a, *b}
    for item, team in zip(drafted.items, drafted.teams, strict=True):
        assert team == "" or item in (a if team == "a" else b)


@given(RANKED, RANKED, st.integers(0, 20), KEYS)
def test_a_shorter_list_is_the_beginning_of_a_longer_one(a, b, k, key):
    short, long = team_draft(a, b, k, key), team_draft(a, b, k + 1, key)
    assert long.items[: len(short.items)] == short.items
    assert long.teams[: len(short.teams)] == short.teams


@given(RANKED, RANKED, KEYS)
def test_teams_are_never_more_than_one_place_apart(a, b, key):
    counts = Counter()
    for team in team_draft(a, b, 20, key).teams:
        counts[team] += 1
        assert abs(counts["a"] - counts["b"]) <= 1


@given(RANKED, RANKED, KEYS)
def test_what_both_put_first_stays_first(a, b, key):
    same = 0
    while same < min(len(a), len(b)) and set(a[: same + 1]) == set(b[: same + 1]):
        same += 1
    assert set(team_draft(a, b, same, key).items) == set(a[:same])


def test_each_place_is_as_often_of_one_team_as_of_the_other():
    drafts = [team_draft("abcdef", "fedcba", 6, f"r{n}") for n in range(4000)]
    for place in range(6):
        of_b = sum(one.teams[place] == "b" for one in drafts)
        assert stats.binomtest(of_b, len(drafts)).pvalue > 0.001
    assert sum(one.items[0] == "f" for one in drafts) == sum(one.teams[0] == "b" for one in drafts)


def test_clicks_that_do_not_look_at_rankers_prefer_neither():
    rng = np.random.default_rng(0)
    a, b = list(range(20)), list(range(10, 30))
    outcomes = []
    for n in range(4000):
        drafted = team_draft(a, b, 8, f"r{n}")
        outcomes.append(winner(drafted, {drafted.items[place] for place in np.flatnonzero(rng.random(8) < 0.3)}))
    assert Counter(outcomes)[0] < 2500
    assert stats.binomtest(outcomes.count(1), 4000 - outcomes.count(0)).pvalue > 0.001


def test_a_request_is_drafted_alike_whenever_it_comes():
    keys = [f"r{n}" for n in range(20)]
    forwards = {key: team_draft("abcd", "dcba", 4, key) for key in keys}
    assert {key: team_draft("abcd", "dcba", 4, key) for key in reversed(keys)} == forwards
    assert len(set(forwards.values())) > 2


def test_many_places_have_coins_of_their_own():
    teams = team_draft(range(3000), range(3000), 2400, "long").teams
    assert teams[:1024:2] != teams[1024:2048:2]


def test_a_list_that_ends_is_filled_up_for_no_team():
    assert team_draft([], [1, 2], 5, "r") == Draft((1, 2), ("", ""))
    drafts = {team_draft([1], [1, 2, 3, 4], 4, f"r{n}") for n in range(20)}
    assert drafts == {Draft((1, 2, 3, 4), ("a", "b", "", "")), Draft((1, 2, 3, 4), ("b", "", "", ""))}


@pytest.mark.parametrize(
    ("clicked", "expected"),
    [
        pytest.param({1}, -1, id="one-of-a"),
        pytest.param({3, 4, 2}, 1, id="two-of-b-one-of-a"),
        pytest.param({1, 3}, 0, id="one-each"),
        pytest.param({5, 99}, 0, id="of-no-team"),
        pytest.param((), 0, id="none"),
    ],
)
def test_a_list_is_won_by_the_team_with_more_clicks(clicked, expected):
    assert winner(Draft((1, 3, 2, 4, 5), ("a", "b", "a", "b", "")), clicked) == expected


def test_a_person_counts_once_however_many_lists_they_saw():
    users, outcomes = np.array([7, 7, 7, 7, 8, 9]), np.array([1, 1, 1, 1, -1, -1])
    found = preference(users, outcomes)
    assert (found.prefer_a, found.prefer_b, found.undecided) == (2, 1, 0)
    assert found.score.mean == pytest.approx((1 - 1 - 1) / 3)
    assert found.share.mean == pytest.approx(1 / 3)


def test_the_sign_test_by_hand():
    # nine of ten who prefer one prefer b: p = 2 (1 + 10) / 1024
    found = preference(np.arange(12), np.array([1] * 9 + [-1] + [0, 0]))
    assert found.sign_p == pytest.approx(22 / 1024)
    assert (found.share.n, found.share.mean) == (10, 0.9)
    assert found.share.low == pytest.approx(stats.beta.ppf(0.025, 9, 2))
    assert found.score.n == 12


def test_without_a_preference_nothing_is_told():
    none = preference(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert (none.p, none.sign_p, none.share.n, none.score.n) == (1.0, 1.0, 0, 0)
    even = preference(np.arange(5), np.zeros(5, np.int64))
    assert (even.undecided, even.p, even.sign_p) == (5, 1.0, 1.0)
