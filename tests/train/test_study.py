"""A search of a tuner's options: the same after a kill, pruned, within its budget, judged once."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar

import pytest

from conftest import checkerboard
from palate.config import Span, option, options
from palate.errors import ConfigError
from palate.runtime import Runtime
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import RECORD, EncoderTuner
from palate.train.study import TRACE, SearchBudget, search, searched
from train.tiny import encoder_folder


@options
class HillConfig:
    method: str = option("lora", "How.", choices=("lora", "full"), search=("lora", "full"))
    rank: int = option(16, "Read by lora alone.", search=(4, 16))
    place: float = option(0.0, "Where to stand; 3 is best.", search=Span(0.0, 10.0))
    seconds: float = option(float("inf"), "Time.")


@dataclass(frozen=True)
class Hill:
    """Stands somewhere for three epochs, higher with each, and is judged by how often it is asked."""

    config: HillConfig = HillConfig()
    asked: ClassVar[list[float]] = []

    def fit(self, data, out, runtime, told, judged):
        assert not judged
        rows = [{"epoch": epoch, "quality": epoch - abs(self.config.place - 3)} for epoch in (1, 2, 3)]
        for row in rows:
            told(row)
        out.mkdir(parents=True)
        record = {"epochs": rows, "place": self.config.place}
        (out / RECORD).write_text(json.dumps(record))
        return record

    def judged(self, data, out, runtime):
        self.asked.append(json.loads((Path(out) / RECORD).read_text())["place"])
        return {"change": 1.0}


def climbed(out, budget, runtime, **more):
    rows = []
    return search(Hill(), checkerboard(), out, runtime, budget, told=rows.append, **more), rows


def test_the_best_trial_is_kept_and_it_alone_is_judged(tmp_path, runtime):
    Hill.asked.clear()
    record, rows = climbed(tmp_path / "out", SearchBudget(trials=25), runtime)
    trace = record["search"]
    assert trace["trials"] == rows
    assert [row["trial"] for row in rows] == list(range(1, 26))
    assert rows[0]["options"] == {"method": "lora", "rank": 16, "place": 0.0}
    finished = [row for row in rows if not row["pruned"]]
    best = max(finished, key=lambda row: row["quality"])
    assert trace["best"] == best["trial"]
    assert record["place"] == best["options"]["place"] == pytest.approx(3, abs=0.5)
    assert Hill.asked == [record["place"]]
    assert 0 < len(rows) - len(finished) < 20
    assert all(row["epochs"] < 3 for row in rows if row["pruned"])
    assert json.loads((tmp_path / "out" / RECORD).read_text()) == record
    assert json.loads((tmp_path / "out" / TRACE).read_text()) == trace
    assert all("rank" not in row["options"] for row in rows if row["options"]["method"] == "full")


class Stopped(Exception):
    pass


def test_a_search_that_goes_on_ends_as_one_that_never_stopped(tmp_path, monkeypatch):
    whole, _ = climbed(tmp_path / "whole", SearchBudget(trials=12), Runtime())
    fit, begun = Hill.fit, []

    def stopped(self, *args, **more):
        begun.append(self.config.place)
        if len(begun) in (1, 8):
            raise Stopped
        return fit(self, *args, **more)

    monkeypatch.setattr(Hill, "fit", stopped)
    runtime = Runtime(work=tmp_path / "work")
    for _ in range(2):
        with pytest.raises(Stopped):
            climbed(tmp_path / "out", SearchBudget(trials=12), runtime)
    resumed, rows = climbed(tmp_path / "out", SearchBudget(trials=12), runtime)
    assert len(begun) == 14
    assert rows[0]["trial"] == 7
    told = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in one["search"]["trials"]]
        for one in (resumed, whole)
    ]
    assert told[0] == told[1]


def test_the_time_for_a_search_is_kept(tmp_path, runtime, monkeypatch):
    clock = iter(range(0, 1000, 2))  # each trial takes 2 s: one look before, one after
    monkeypatch.setattr("palate.train.study.time.perf_counter", lambda: next(clock))
    _, rows = climbed(tmp_path / "out", SearchBudget(seconds=7), runtime)
    assert len(rows) == 3


def test_what_is_fixed_or_set_is_not_searched():
    assert list(searched(HillConfig())) == ["method", "rank", "place"]
    assert list(searched(HillConfig(place=5.0), fixed=["rank"])) == ["method"]


@pytest.mark.parametrize("wrong", [{}, {"trials": 0}, {"seconds": 0.0}])
def test_a_search_without_a_budget_is_refused(wrong):
    with pytest.raises(ConfigError, match="search: needs a budget"):
        SearchBudget(**wrong)


def test_a_search_with_nothing_to_search_is_refused(tmp_path, runtime):
    with pytest.raises(ConfigError, match="search: no option is left to search"):
        climbed(tmp_path / "out", SearchBudget(trials=2), runtime, fixed=["method", "rank", "place"])


def test_defaults_of_the_encoder_lie_where_it_is_searched():
    config = EncoderTunerConfig()
    space = searched(config)
    assert {"method", "pace", "rank", "temperature", "hard_negatives", "epochs"} <= set(space)
    for name, where in space.items():
        value = getattr(config, name)
        assert where.low <= value <= where.high if isinstance(where, Span) else value in where
    assert all(replace(config, **{name: value}) for name, value in _ends(space))
    assert set(space) <= {one.name for one in fields(config)}


def _ends(space):
    for name, where in space.items():
        whole = isinstance(getattr(EncoderTunerConfig(), name), int)
        ends = (where.low, where.high) if isinstance(where, Span) else where
        yield from ((name, int(value) if whole else value) for value in ends)


def test_an_encoder_is_searched(tmp_path):
    tiny = encoder_folder(tmp_path / "bert")
    config = EncoderTunerConfig(model=tiny, held_out=60, pairs=48, batch=16, max_tokens=32)
    data, runtime = checkerboard(n_users=120), Runtime(work=tmp_path / "work", track="none")
    record = search(EncoderTuner(config), data, tmp_path / "out", runtime, SearchBudget(trials=3), fixed=["epochs"])
    rows = record["search"]["trials"]
    assert max(row["quality"] for row in record["epochs"]) == max(row["quality"] for row in rows)
    again = replace(config, **rows[record["search"]["best"] - 1]["options"])
    alone = EncoderTuner(again).fit(data, tmp_path / "alone", Runtime())
    assert alone["held_out"] == pytest.approx(record["held_out"])
