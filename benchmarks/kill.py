"""`python -m benchmarks.kill`: kill -9 during ingest, again and again; no acknowledged event may be lost or doubled.

A child takes events and says which are on disk; it is killed at a random moment while more are on their way. Then it is
started again on the same folder, tells its log, and is sent everything once more. Most rounds have a child that is the
service without HTTP, whose libraries are loaded before, so that it starts in a moment; the others have `palate serve`
itself.
"""

import argparse
import multiprocessing
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from benchmarks.ports import free_port
from palate.model import load
from palate.serve import events as log
from palate.serve.database import opened
from palate.serve.events import Event
from palate.serve.service import Service
from palate.serve.settings import ServeConfig

SENDERS = 8  # requests to a server at one time
AHEAD = 200  # events on their way to a child without HTTP
MOST = 600  # acknowledged events of a round, before the kill
WAIT_S = 60.0
LIBRARIES = ["palate.serve.service", "palate.encode.forward"]  # loaded once for all children without HTTP


@dataclass
class Tally:
    """What a client knows: every event that it sent, those that were acknowledged, and how long restarts took, of the
    service without HTTP and of `palate serve`."""

    sent: dict[str, Event] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    restarts_s: list[float] = field(default_factory=list)
    ready_s: list[float] = field(default_factory=list)
    kills: int = 0

    def new(self, item_id: str) -> Event:
        """An event that was not sent yet."""
        number = len(self.sent)
        event = Event(f"e{number}", f"u{number % 50}", item_id, 1000.0 + number)
        self.sent[event.event_id] = event
        return event

    def check(self, folder: Path) -> None:
        """Raises AssertionError where the log in a folder lacks an acknowledged event or has one twice."""
        engine = opened(f"sqlite:///{folder / 'service.db'}")
        found = Counter(one.event_id for one in log.since(engine, 0))
        engine.dispose()
        assert max(found.values(), default=1) == 1, f"twice: {found.most_common(3)}"
        assert self.acknowledged <= set(found), f"lost: {sorted(self.acknowledged - set(found))[:5]}"
        assert set(found) <= set(self.sent), "an event that nobody sent"


def serve_pipe(model: Path, folder: Path, pipe: Connection) -> None:
    """The child without HTTP: events come through the pipe, ids go back once they are on disk."""
    service = Service(ServeConfig(reserve_mb=0), folder)
    service.serve(service.open_version("first", load(model)))
    pipe.send("ready")
    turn = threading.Lock()

    def tell(event_id: str) -> None:
        with turn:
            pipe.send(event_id)

    while True:
        event: Event = pipe.recv()
        service.tell([event]).add_done_callback(lambda done, name=event.event_id: done.exception() or tell(name))


def round_of_pipe(model: Path, folder: Path, tally: Tally, rng: random.Random) -> None:
    """One child without HTTP: started, sent events, killed after a random number of acknowledgements."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    ours, theirs = context.Pipe()
    child = context.Process(target=serve_pipe, args=(model, folder, theirs), daemon=True)
    start = monotonic()
    child.start()
    theirs.close()
    assert ours.poll(WAIT_S), "the child does not start"
    assert ours.recv() == "ready"
    if tally.kills:  # the first start loads the libraries
        tally.restarts_s.append(monotonic() - start)
    item = load(model).data.items.ids.ids[0]
    again = [one for one in tally.sent.values() if one.event_id not in tally.acknowledged]
    until, told = rng.randrange(1, MOST), 0
    for _ in range(AHEAD):
        ours.send(again.pop() if again else tally.new(item))
    while told < until:
        assert ours.poll(WAIT_S), "no acknowledgement"
        tally.acknowledged.add(ours.recv())
        told += 1
        ours.send(again.pop() if again else tally.new(item))
    child.kill()
    child.join()
    while ours.poll():  # what it had told before it died
        try:
            tally.acknowledged.add(ours.recv())
        except (EOFError, ConnectionResetError):
            break
    ours.close()
    tally.kills += 1


@contextmanager
def server(model: Path, folder: Path) -> Iterator[tuple[httpx.Client, "subprocess.Popen[bytes]", float]]:
    """`palate serve` when it is ready: a client with the first key, the process, and the seconds that it took."""
    port = free_port()
    command = [sys.executable, "-m", "palate", "serve", str(model), "--state", str(folder), "--port", str(port)]
    start = monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while not _ready(client):
                assert process.poll() is None, "the server ended"
                assert monotonic() - start < WAIT_S, "the server does not start"
                sleep(0.02)  # it is another process: there is nothing to wait on
            took = monotonic() - start
            client.headers["Authorization"] = f"Bearer {(folder / 'admin.key').read_text().strip()}"
            yield client, process, took
    finally:
        process.kill()
        process.wait()


def round_of_server(model: Path, folder: Path, tally: Tally, rng: random.Random) -> None:
    """One `palate serve`: started, sent events by several clients, killed after a random number of answers."""
    item = load(model).data.items.ids.ids[0]
    turn = threading.Lock()
    until = rng.randrange(1, MOST // 4)
    enough, told = threading.Event(), 0
    with server(model, folder) as (client, process, took):
        tally.ready_s.append(took)
        again = [one for one in tally.sent.values() if one.event_id not in tally.acknowledged]

        def send() -> None:
            nonlocal told
            while not enough.is_set():
                with turn:
                    event = again.pop() if again else tally.new(item)
                try:
                    answer = client.post("/v1/events", json=_body(event))
                except httpx.TransportError:
                    return
                with turn:
                    if answer.status_code == 200:
                        tally.acknowledged.add(event.event_id)
                    told += 1
                    if told >= until:
                        enough.set()

        threads = [threading.Thread(target=send) for _ in range(SENDERS)]
        for one in threads:
            one.start()
        assert enough.wait(WAIT_S), "no answers"
        process.send_signal(signal.SIGKILL)
        for one in threads:
            one.join()
    tally.kills += 1


def rounds(model: Path, folder: Path, n: int, servers: int, seed: int = 0) -> Tally:
    """`n` kills, the last `servers` of them of `palate serve`; the log is checked after each."""
    tally, rng = Tally(), random.Random(seed)
    for number in range(n):
        kill = round_of_server if number >= n - servers else round_of_pipe
        kill(model, folder, tally, rng)
        tally.check(folder)
    return tally


def _ready(client: httpx.Client) -> bool:
    try:
        return client.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def _body(event: Event) -> dict[str, Any]:
    names = ("event_id", "user_id", "item_id", "time")
    return {name: getattr(event, name) for name in names}


def main() -> None:
    """Kill as often as asked for and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.add_argument("model", type=Path, help="the folder of a saved model, a small one")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--servers", type=int, default=20, help="how many of the rounds kill `palate serve`")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = rounds(given.model, Path(folder), given.rounds, given.servers, given.seed)
    slowest = max(tally.restarts_s + tally.ready_s)
    print(
        f"{tally.kills} kills, {len(tally.sent)} events sent, {len(tally.acknowledged)} acknowledged: "
        f"none lost, none twice; slowest restart {slowest:.2f} s"
    )


if __name__ == "__main__":
    main()
