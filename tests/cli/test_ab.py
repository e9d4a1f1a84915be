"""`palate ab report` as a user types it: from files of three kinds to the same report."""

import json

import numpy as np
import polars as pl
import pytest

from cli.calls import run

T = 1_700_000_000


@pytest.fixture
def logs(tmp_path):
    """exposures.csv and events.csv of 400 users, of whom the new arm's buy three times as often."""
    rng = np.random.default_rng(0)
    exposures, events = ["request_id,user_id,arm,time,items"], ["event_id,user_id,item_id,time,kind,value"]
    for user in range(400):
        arm, time = ("new", "old")[user % 2], T + 600 * user
        exposures.append(f'r{user},{user:03},{arm},{time},"7,8"')
        if rng.random() < {"new": 0.45, "old": 0.15}[arm]:
            events.append(f"e{user},{user:03},7,{time + 60},buy,20")
    exposures.append(f"late,999,new,{T + 20 * 86_400},7")
    (tmp_path / "exposures.csv").write_text("\n".join(exposures) + "\n")
    (tmp_path / "events.csv").write_text("\n".join(events) + "\n")
    return tmp_path


def test_the_report_says_who_is_ahead_and_is_written(logs, monkeypatch, capsys):
    words = ["ab", "report", logs / "exposures.csv", logs / "events.csv", "--control", "old"]
    code, said, _ = run(monkeypatch, capsys, *words, "--out", logs / "report.html")
    assert code == 0
    assert "* new is ahead of old: conversion +0." in said
    assert "users not settled yet: 1" in said
    assert "difference, at all looks" in said
    assert "new is ahead of old" in (logs / "report.html").read_text()
    assert json.loads((logs / "report.json").read_text())["control"] == "old"


def test_csv_json_lines_and_parquet_give_the_same(logs, monkeypatch, capsys):
    tables = {name: pl.read_csv(logs / f"{name}.csv", infer_schema=False) for name in ("exposures", "events")}
    tables["exposures"] = tables["exposures"].with_columns(pl.col("items").str.split(","))
    found = []
    for ending in ("csv", "jsonl", "parquet"):
        for name, table in tables.items():
            if ending == "jsonl":
                table.write_ndjson(logs / f"{name}.jsonl")
            elif ending == "parquet":
                table.write_parquet(logs / f"{name}.parquet")
        paths = [logs / f"{name}.{ending}" for name in tables]
        code, said, _ = run(monkeypatch, capsys, "ab", "report", *paths, "--json")
        assert code == 0
        found.append(json.loads(said))
    assert found[0] == found[1] == found[2]
    assert found[0]["arms"][0]["users"] == 201


def test_the_logs_may_be_read_up_to_a_time(logs, monkeypatch, capsys):
    words = ["ab", "report", logs / "exposures.csv", logs / "events.csv", "--json", "--until"]
    settled = []
    for until in (T + 3600, "2023-11-16T23:13:20", "2023-11-17"):
        report = json.loads(run(monkeypatch, capsys, *words, until)[1])
        settled.append(sum(arm["settled"] for arm in report["arms"]))
    assert settled[0] == 0
    assert settled[1] == 7  # two days and an hour after the first user: those of its first hour
    assert settled[2] > 7


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["{logs}/exposures.csv", "{logs}/none.csv"], "none.csv", id="no-file"),
        pytest.param(["{logs}/events.csv", "{logs}/events.csv"], "exposures: no column arm", id="wrong-file"),
        pytest.param(["{logs}/exposures.csv", "{logs}/events.csv", "--shares", "new"], "NAME=VALUE", id="shares"),
        pytest.param(["{logs}/exposures.csv", "{logs}/events.csv", "--shares", "new=1,old=1"], "not between", id="one"),
        pytest.param(["{logs}/exposures.csv", "{logs}/events.csv", "--kinds", "look"], "kind", id="kinds"),
        pytest.param(["{logs}/exposures.csv", "{logs}/events.csv", "--control", "b"], '"b" is no arm', id="control"),
        pytest.param(["{logs}/exposures.csv", "{logs}/events.csv", "--until", "now"], 'until: "now"', id="until"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(logs, monkeypatch, capsys, words, complaint):
    code, _, error = run(monkeypatch, capsys, "ab", "report", *(word.format(logs=logs) for word in words))
    assert code == 2
    assert complaint in error
    assert error.count("\n") == 1
