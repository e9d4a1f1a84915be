"""The load test: what its figures mean, and that it measures a service, not itself."""

import asyncio
import json
import threading
import time
from dataclasses import replace

import numpy as np
import polars
import pytest
import uvicorn
from typer.testing import CliRunner

import palate
from palate.cli.main import app as command
from palate.errors import ConfigError, ServiceError
from palate.serve.app import application
from palate.serve.loadtest import Call, LoadConfig, Shot, arrivals, load_test, make_calls, read_items
from palate.serve.run import first_key
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from palate.serve.tally import percentiles, tally

CONFIG = LoadConfig(rate=50.0, seconds=1.0, arrivals="even")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A service on a free port: its address, the file of a key, its folder."""
    folder = tmp_path_factory.mktemp("state")
    items = polars.DataFrame({"item_id": [f"i{n}" for n in range(12)], "title": [f"number {n}" for n in range(12)]})
    pairs = [(f"u{user}", f"i{(user + step) % 12}", 1000.0 + step) for user in range(10) for step in range(4)]
    events = polars.DataFrame(pairs, schema=["user_id", "item_id", "time"], orient="row")
    model = palate.fit(palate.read(items=items, events=events), recipe="popular", encoder="hashing")
    model = replace(model, data=replace(model.data, items=replace(model.data.items, title=("",) * 12)))
    service = Service(ServeConfig(), folder)
    first_key(service)
    service.serve(service.open_version("v1", model))
    server = uvicorn.Server(uvicorn.Config(application(service), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", folder / "admin.key"
    server.should_exit = True
    thread.join()


def test_percentiles_are_nearest_ranks():
    found = percentiles([float(n) for n in range(200, 0, -1)])
    assert found == {"p50": 100.0, "p95": 190.0, "p99": 198.0, "max": 200.0}


def test_percentiles_of_one_value_are_it_and_of_none_there_are_none():
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0, "max": 7.0}
    assert percentiles([]) == {}


def test_only_whole_answers_in_time_are_good():
    shots = [
        Shot("recommend", 0.0, 0.001, 0.011, 200),
        Shot("recommend", 1.0, 1.0, 1.6, 200),  # 600 ms
        Shot("recommend", 2.0, 2.0, 2.01, 200, degraded=("trees_deadline",)),
        Shot("recommend", 3.0, 3.0, 3.002, 503),
        Shot("recommend", 4.0, 4.0, 4.0, 0, failed="unsent"),
    ]
    found = tally(shots, LoadConfig(rate=1.0, seconds=5.0, deadline_ms=500.0))
    assert (found.asked, found.good, found.goodput) == (5, 1, 0.2)
    assert found.answered == {"p50": 11.0, "p95": 600.0, "p99": 600.0, "max": 600.0}
    assert found.refused["max"] == 2.0
    assert found.late["max"] == 1.0
    assert found.statuses == {"200": 3, "503": 1}
    assert found.degraded == {"trees_deadline": 1}
    assert found.failed == {"unsent": 1}


def test_latency_counts_from_when_a_request_was_due():
    assert Shot("recommend", due=1.0, sent=1.4, done=1.5, status=200).ms == pytest.approx(500.0)


def test_even_arrivals_stand_at_equal_distances():
    assert arrivals(LoadConfig(rate=4.0, seconds=1.0, arrivals="even"), np.random.default_rng(0)).tolist() == [
        0.0,
        0.25,
        0.5,
        0.75,
    ]


def test_poisson_arrivals_come_at_the_rate_and_in_time():
    due = arrivals(LoadConfig(rate=100.0, seconds=100.0), np.random.default_rng(0))
    assert abs(len(due) - 10_000) < 400  # four standard deviations
    assert (np.diff(due) >= 0).all()
    assert due[-1] < 100.0
    gaps = np.diff(due)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # as an exponential's are


def test_a_seed_makes_the_same_requests():
    mix = {"recommend": 3.0, "search": 1.0}
    first, again = (make_calls(CONFIG, mix, ["u1", "u2"], {"i1": "one", "i2": ""}) for _ in range(2))
    assert first == again
    assert {one.kind for one in first} == {"recommend", "search"}
    assert {json.loads(one.body)["text"] for one in first if one.kind == "search"} == {"one", "i2"}


def test_a_deadline_is_sent_along_only_if_asked_for():
    told = [
        json.loads(make_calls(replace(CONFIG, tell=tell), {"recommend": 1.0}, ["u1"], {"i1": ""})[0].body)
        for tell in (False, True)
    ]
    assert told == [{"user_id": "u1", "k": 10}, {"user_id": "u1", "k": 10, "deadline_ms": 500}]


def test_a_second_run_logs_events_of_its_own():
    first, again = (make_calls(CONFIG, {"event": 1.0}, ["u1"], {"i1": ""}) for _ in range(2))
    ids = [{json.loads(one.body)["event_id"] for one in calls} for calls in (first, again)]
    assert len(ids[0]) == len(first)
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(
    ("mix", "complaint"), [({"buy": 1.0}, 'mix: "buy=1"'), ({"search": -1.0}, "search=-1"), ({}, "nothing to ask for")]
)
def test_a_mix_that_is_none_says_so(mix, complaint):
    with pytest.raises(ConfigError, match=complaint):
        make_calls(CONFIG, mix, [], {"i1": ""})


@pytest.mark.parametrize("url", ["http://shop.example", "http://10.0.0.7:8080", "http://127.0.0.1.shop.example"])
def test_another_machine_is_left_alone(url):
    with pytest.raises(ConfigError, match="not this machine"):
        load_test(url, "", [], CONFIG)


def test_an_address_that_is_none_says_so():
    with pytest.raises(ConfigError, match="no address"):
        load_test("127.0.0.1:8080", "", [], CONFIG)


def test_a_service_that_is_not_there_says_so():
    with pytest.raises(ServiceError, match="is `palate serve` running there"):
        read_items("http://127.0.0.1:9", "")


def test_every_kind_of_request_is_answered(served):
    url, key = served[0], served[1].read_text().strip()
    items = read_items(url, key)
    assert items["i3"] == ""
    kinds = ("recommend", "search", "similar", "event", "events")
    calls = make_calls(CONFIG, dict.fromkeys(kinds, 1.0), ["u1", "u2"], items)
    shots = load_test(url, key, calls, CONFIG)
    assert [one.kind for one in shots] == [one.kind for one in calls]
    assert {one.kind for one in shots} == set(kinds)
    assert tally(shots, CONFIG).statuses == {"200": len(calls)}


def test_refusals_are_counted_by_status(served):
    calls = [Call(0.0, "recommend", b'{"k": 3}'), Call(0.01, "recommend", b'{"k": 0}')]
    wrong = load_test(served[0], "nobody's", calls, CONFIG)
    right = load_test(served[0], served[1].read_text().strip(), calls, CONFIG)
    assert [one.status for one in wrong] == [401, 401]
    assert [one.status for one in right] == [200, 422]


def test_a_slow_service_delays_no_other_request():
    """Four requests, 50 ms apart, to a service that answers each after 300 ms: a closed loop would take 1.2 s."""
    shots = _against_slow([Call(0.05 * n, "recommend", b"{}") for n in range(4)], CONFIG)
    assert [one.status for one in shots] == [200] * 4
    assert all(0.3 <= one.done - one.due < 0.6 for one in shots)
    assert all(one.sent - one.due < 0.1 for one in shots)


def test_requests_over_the_bound_fail_unsent():
    calls = [Call(0.01 * n, "recommend", b"{}") for n in range(4)]
    shots = _against_slow(calls, replace(CONFIG, outstanding=2))
    assert [one.failed for one in shots] == ["", "", "unsent", "unsent"]


def _against_slow(calls, config):
    """What becomes of calls to a server that answers each connection after 300 ms."""
    opened, ready = [], threading.Event()

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n{}")
        await asyncio.sleep(0.3)
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"degraded": []}')
        writer.close()

    async def serve():
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        opened.extend((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), asyncio.Event()))
        ready.set()
        await opened[2].wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    port, loop, stop = opened
    try:
        return load_test(f"http://127.0.0.1:{port}", "", calls, config)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def test_the_command_prints_figures_and_json(served):
    run = CliRunner().invoke
    told = ["load-test", served[0], "--key-file", str(served[1]), "--rate", "40", "--seconds", "0.5"]
    shown = run(command, told)
    assert shown.exit_code == 0, shown.output
    assert "goodput" in shown.output
    assert "own delay" in shown.output
    found = json.loads(run(command, [*told, "--arrivals", "even", "--json"]).output)
    assert found["statuses"] == {"200": 20}
    assert found["goodput"] == 40.0


def test_the_command_takes_users_from_a_file_or_a_model_alone(served, tmp_path):
    (tmp_path / "users.txt").write_text("u1\n\nu2\n")
    told = ["load-test", served[0], "--key-file", str(served[1]), "--rate", "20", "--seconds", "0.2"]
    assert CliRunner().invoke(command, [*told, "--users", str(tmp_path / "users.txt")]).exit_code == 0
    both = CliRunner().invoke(command, [*told, "--users", "a", "--model", "b"])
    assert "leave out --users or --model" in str(both.exception)
