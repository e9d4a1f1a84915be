"""An event belongs to one list, a user counts once nothing can change, and what is sent twice counts once."""

import math

import pandas as pd
import polars as pl
import pytest

from palate.errors import ConfigError, DataError
from palate.evaluation.ab.attribution import AttributionConfig, attribute

H = 3600
T = 1_700_000_000

EXPOSURES = pl.DataFrame(
    [
        ("r1", "u1", "a", T, ["x", "y"]),
        ("r2", "u1", "a", T + 2 * H, ["y", "z"]),
        ("r3", "u1", "a", T + 30 * H, ["x"]),  # more than a day after the first list
        ("r4", "u2", "b", T + 1 * H, ["x", "y"]),
        ("r5", "u3", "b", T + 1 * H, []),
        ("r6", "u4", "a", T + 90 * H, ["x"]),  # not settled when the logs end
    ],
    ["request_id", "user_id", "arm", "time", "items"],
    orient="row",
)
EVENTS = pl.DataFrame(
    [
        ("e1", "u1", "y", T + 1 * H, "click", 1.0),  # r1
        ("e2", "u1", "y", T + 3 * H, "buy", 9.0),  # the last list that showed y: r2
        ("e3", "u1", "y", T + 3 * H, "click", 1.0),  # r2 again: one item acted on
        ("e4", "u1", "x", T + 31 * H, "buy", 9.0),  # r3 does not count, r1 is too long ago
        ("e5", "u2", "x", T + 25 * H, "buy", 5.0),  # a day after r4 to the second
        ("e6", "u2", "y", T + 25 * H + 1, "buy", 5.0),  # a second too late
        ("e7", "u2", "z", T + 2 * H, "buy", 5.0),  # not shown
        ("e8", "u2", "x", T, "buy", 5.0),  # before it was shown
        ("e9", "u9", "x", T + 2 * H, "buy", 5.0),  # saw no list
    ],
    ["event_id", "user_id", "item_id", "time", "kind", "value"],
    orient="row",
)


def outcomes(exposures=EXPOSURES, events=EVENTS, now=None, **options):
    """User to (lists, hits, value), settled users alone."""
    found = attribute(exposures, events, AttributionConfig(**options), now)
    settled = found.users.filter(pl.col("settled"))
    return {row["user"]: (row["lists"], row["hits"], row["value"]) for row in settled.to_dicts()}


EXPECTED = {"u1": (2, 2, 11.0), "u2": (1, 1, 5.0), "u3": (1, 0, 0.0)}


def test_users_lists_hits_and_values_by_hand():
    assert outcomes() == EXPECTED
    found = attribute(EXPOSURES, EVENTS, AttributionConfig())
    assert found.users["user"].to_list() == ["u1", "u2", "u3", "u4"]
    assert found.counts == {
        "users in more than one arm": 0,
        "users not settled yet": 1,
        "rows of exposures sent again": 0,
        "events sent again": 0,
        "events that count": 9,
        "events that belong to a list": 4,
    }


def test_the_order_of_the_logs_does_not_matter():
    assert outcomes(EXPOSURES.reverse(), EVENTS.reverse()) == EXPECTED
    assert (
        outcomes(EXPOSURES.sample(fraction=1, shuffle=True, seed=1), EVENTS.sample(fraction=1, shuffle=True, seed=2))
        == EXPECTED
    )


def test_what_is_sent_twice_counts_once():
    assert outcomes(pl.concat([EXPOSURES, EXPOSURES[:2]]), pl.concat([EVENTS, EVENTS[1:3]])) == EXPECTED
    found = attribute(pl.concat([EXPOSURES, EXPOSURES[:2]]), pl.concat([EVENTS, EVENTS[1:3]]), AttributionConfig())
    assert found.counts["rows of exposures sent again"] == found.counts["events sent again"] == 2
    changed = EVENTS[1:2].with_columns(value=100.0)  # the same event_id: the first stays
    assert outcomes(EXPOSURES, pl.concat([EVENTS, changed])) == EXPECTED
    nameless = EVENTS.drop("event_id")
    assert outcomes(EXPOSURES, pl.concat([nameless, nameless])) == EXPECTED


def test_items_may_stand_in_rows_of_their_own_or_in_one_text():
    each = EXPOSURES.filter(pl.col("user_id") != "u3").explode("items").rename({"items": "item_id"})
    expected = {user: row for user, row in EXPECTED.items() if user != "u3"}
    assert outcomes(each) == expected
    assert outcomes(pl.concat([each, each[:1]])) == expected
    assert outcomes(each.drop("request_id")) == expected
    assert outcomes(EXPOSURES.with_columns(pl.col("items").list.join(", "))) == EXPECTED
    as_json = EXPOSURES["items"].map_elements(
        lambda ids: pl.Series(ids).to_list().__repr__().replace("'", '"'), pl.String
    )
    assert outcomes(EXPOSURES.with_columns(as_json)) == EXPECTED


def test_pandas_frames_and_other_times_give_the_same():
    exposures = pd.DataFrame(EXPOSURES.to_dicts())
    exposures["time"] = pd.to_datetime(exposures["time"], unit="s", utc=True)
    events = pd.DataFrame(EVENTS.to_dicts())
    events["time"] = events["time"] * 1000
    assert outcomes(exposures, events) == EXPECTED


def test_what_is_known_of_a_settled_user_never_changes():
    settled_then = {}
    for hours in range(0, 130, 5):
        now_known = outcomes(now=T + hours * H)
        assert {user: now_known[user] for user in settled_then} == settled_then
        settled_then = now_known
    assert settled_then == EXPECTED
    assert outcomes(now=T + 47 * H) == {}
    assert outcomes(now=T + 48 * H) == {"u1": EXPECTED["u1"]}


def test_windows_are_options():
    assert outcomes(follow_hours=48.0, now=T + 100 * H)["u1"] == (3, 3, 20.0)
    assert outcomes(window_hours=0.5)["u1"] == (2, 0, 0.0)
    assert outcomes(follow_hours=0.0, window_hours=1.0)["u1"] == (1, 1, 1.0)


def test_kinds_are_chosen():
    assert outcomes(kinds="buy") == {"u1": (2, 1, 9.0), "u2": (1, 1, 5.0), "u3": (1, 0, 0.0)}
    assert outcomes(kinds="buy, click") == EXPECTED
    with pytest.raises(ConfigError, match='no event is of kind "bought"; there are: buy, click'):
        outcomes(kinds="bought")
    with pytest.raises(ConfigError, match="there are: none"):
        outcomes(EXPOSURES, EVENTS.drop("kind"), kinds="buy")


def test_users_in_two_arms_are_left_out_and_counted():
    torn = pl.concat([EXPOSURES, EXPOSURES[3:4].with_columns(arm=pl.lit("a"), request_id=pl.lit("r7"))])
    assert "u2" not in outcomes(torn)
    assert attribute(torn, EVENTS, AttributionConfig()).counts["users in more than one arm"] == 1


def test_events_may_lack_values_and_may_be_none():
    found = attribute(EXPOSURES, EVENTS.drop("value", "kind"), AttributionConfig())
    assert not found.has_value
    assert found.users["hits"].to_list() == [2, 1, 0, 0]
    some = EVENTS.with_columns(value=pl.when(pl.col("kind") == "click").then(None).otherwise("value"))
    assert outcomes(EXPOSURES, some)["u1"] == (2, 2, 9.0)
    assert outcomes(EXPOSURES, EVENTS[:0]) == {"u1": (2, 0, 0.0), "u2": (1, 0, 0.0), "u3": (1, 0, 0.0)}


def test_credit_goes_to_the_team_that_placed_the_item():
    teams = [["new", "old"], ["old", "new"], ["new"], ["", "new"], [], ["old"]]
    found = attribute(EXPOSURES.with_columns(teams=pl.Series(teams)), EVENTS, AttributionConfig())
    assert found.teams == ("new", "old")
    assert found.lists.rows() == [("u1", "r1", 0, 1), ("u1", "r2", 0, 1), ("u2", "r4", 0, 0)]


@pytest.mark.parametrize(
    ("exposures", "events", "complaint"),
    [
        pytest.param(EXPOSURES.drop("arm"), EVENTS, "exposures: no column arm", id="no-arm"),
        pytest.param(EXPOSURES.drop("items"), EVENTS, "exposures: no column item_id", id="no-items"),
        pytest.param(EXPOSURES.drop("time"), EVENTS, "exposures: no column time", id="no-time"),
        pytest.param(EXPOSURES[:0], EVENTS, "exposures: no rows", id="no-rows"),
        pytest.param(EXPOSURES.with_columns(user_id=pl.lit("")), EVENTS, "row 1, column user_id: empty", id="no-id"),
        pytest.param(EXPOSURES.with_columns(request_id=pl.lit("r")), EVENTS, 'request "r" has several', id="torn"),
        pytest.param(EXPOSURES.with_columns(items=pl.lit('["x')), EVENTS, "not JSON", id="no-json"),
        pytest.param(EXPOSURES.with_columns(teams=pl.lit("n,n,n")), EVENTS, "row 1: 2 items and 3 teams", id="teams"),
        pytest.param(EXPOSURES.with_columns(teams="items"), EVENTS, r"3 teams \(x, y, z\)", id="three-teams"),
        pytest.param(EXPOSURES, EVENTS.with_columns(time=pl.lit("now")), 'events: row 1: time "now" is not', id="time"),
        pytest.param(EXPOSURES, EVENTS.with_columns(time=pl.lit(9e9)), "lies in the future", id="future"),
        pytest.param(EXPOSURES, EVENTS.with_columns(value=pl.lit("much")), 'value "much" is not a finite', id="value"),
        pytest.param(EXPOSURES, EVENTS.with_columns(value=math.inf), 'value "inf"', id="infinite"),
        pytest.param(EXPOSURES, [1, 2], "events: list is no usable frame", id="no-frame"),
    ],
)
def test_what_cannot_be_used_is_named(exposures, events, complaint):
    with pytest.raises(DataError, match=complaint):
        attribute(exposures, events, AttributionConfig())
