"""Logs of what was shown and of what people did to one row per user: lists seen, items acted on, value.

An event belongs to the last list that showed its user its item, at most `window_hours` before. A user's lists of the
first `follow_hours` count, and a user counts once these hours and the window after them are over: from then on no
event can change what is known of the user, as intervals that hold at all looks demand.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from palate.config import option, options
from palate.errors import ConfigError
from palate.evaluation.ab.shown import read_events, read_exposures

HOUR = 3600.0
ONCE = ("request", "item")


@options
class AttributionConfig:
    window_hours: float = option(24.0, "An event counts for a list that was shown at most so long before.", low=0.0)
    follow_hours: float = option(24.0, "A user's lists count for so long after the first.", low=0.0)
    kinds: str = option("", "The kinds of events that count, by comma; empty counts all.")


@dataclass(frozen=True, slots=True, eq=False)
class Attributed:
    """What users saw and did.

    users: a row for each user of a single arm, in the order in which they came: user, arm, settled, lists, hits (items
        acted on, once for each list), value; the last three are 0 until the user is settled.
    lists: a row for each list that counts, of settled users in the same order: user, request and, where there are
        teams, how many items of each were acted on, as `first` and `second`.
    teams: the two teams of interleaved lists in the order of their names; none where lists are of one ranker each.
    has_value: whether events have values. counts: what was found and what was left out, by name.
    """

    users: pl.DataFrame
    lists: pl.DataFrame
    teams: tuple[str, ...]
    has_value: bool
    counts: dict[str, int]


def attribute(exposures: Any, events: Any, config: AttributionConfig, now: float | None = None) -> Attributed:
    """Join what was shown (see `read_exposures`) to what was done (see `read_events`).

    now: unix seconds up to which the logs are complete, what is later is not read; the last time in them if not given.

    Raises DataError for a frame that cannot be used, ConfigError for kinds that no event has.
    """
    shown, shown_again = read_exposures(exposures)
    events_read = read_events(events)
    done = _of_kinds(events_read.rows, config.kinds)
    until = float(np.concatenate([shown["time"], events_read.rows["time"]]).max()) if now is None else now
    shown, done = (one.filter(pl.col("time") <= until) for one in (shown, done))
    single, crossed = _single_armed(shown)
    span, window = config.follow_hours * HOUR, config.window_hours * HOUR
    settled = pl.col("entry") + span + window <= until
    counting = single.filter(settled & (pl.col("time") <= pl.col("entry") + span))
    taken = _taken(counting, done, window)
    users = _outcomes(single.select("user", "arm", settled.alias("settled")), counting, taken)
    teams = tuple(sorted(set(shown["team"].unique()) - {""}))
    counts = {
        "users in more than one arm": crossed,
        "users not settled yet": int((~users["settled"]).sum()),
        "rows of exposures sent again": shown_again,
        "events sent again": events_read.again,
        "events that count": len(done),
        "events that belong to a list": len(taken),
    }
    return Attributed(users, _by_team(counting, taken, teams), teams, events_read.has_value, counts)


def _of_kinds(done: pl.DataFrame, kinds: str) -> pl.DataFrame:
    wanted = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    there = done["kind"].unique().sort().to_list()
    for kind in wanted:
        if kind not in there:
            raise ConfigError(
                f'kinds: no event is of kind "{kind}"; there are: {", ".join(filter(None, there)) or "none"}'
            )
    return done.filter(pl.col("kind").is_in(wanted)) if wanted else done


def _single_armed(shown: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The rows of users who are in one arm alone, with `entry`, the time of their first list, in the order of users;
    and how many users are in several."""
    arms, entry = pl.col("arm").n_unique().over("user"), pl.col("time").min().over("user")
    told = shown.with_columns(arms=arms, entry=entry)
    crossed = told.filter(pl.col("arms") > 1)["user"].n_unique()
    return told.filter(pl.col("arms") == 1).sort("entry", "user", "time", maintain_order=True), crossed


def _taken(shown: pl.DataFrame, done: pl.DataFrame, window: float) -> pl.DataFrame:
    """The events that belong to a list: those of `done` with the request, and the team that placed the item."""
    lists = shown.select("user", "item", "request", "team", "time", pl.col("time").alias("at")).sort("time")
    joined = done.sort("time").join_asof(lists, on="time", by=["user", "item"], check_sortedness=False)
    return joined.filter(pl.col("time") - pl.col("at") <= window)


def _outcomes(users: pl.DataFrame, counting: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """One row per user, in the given order."""
    parts = (
        counting.group_by("user").agg(pl.col("request").n_unique().alias("lists")),
        taken.unique(ONCE).group_by("user").agg(pl.len().alias("hits")),
        taken.group_by("user").agg(pl.col("value").sum()),
    )
    users = users.unique("user", keep="first", maintain_order=True)
    for part in parts:
        users = users.join(part, on="user", how="left", maintain_order="left")
    return users.with_columns(pl.col("lists", "hits", "value").fill_null(0))


def _by_team(counting: pl.DataFrame, taken: pl.DataFrame, teams: tuple[str, ...]) -> pl.DataFrame:
    """One row per list: user, request, and the items acted on that the first and the second team placed.

    Where there are teams, only the lists that have them.
    """
    counting = counting.filter((pl.col("team") != "").any().over("request")) if teams else counting
    lists = counting.select("user", "request").unique("request", keep="first", maintain_order=True)
    hits = taken.unique(ONCE)
    for name, team in zip(("first", "second"), teams, strict=False):
        credit = hits.filter(pl.col("team") == team).group_by("request").agg(pl.len().alias(name))
        lists = lists.join(credit, on="request", how="left", maintain_order="left")
        lists = lists.with_columns(pl.col(name).fill_null(0))
    return lists
