"""F2: training that is killed, wherever it is, leaves the service as it was, says why, and is tried again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep, time

import pytest

from palate.errors import StoreError
from palate.serve import attempt
from palate.serve.asks import Ask
from palate.serve.attempt import Attempt
from palate.serve.events import Event
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from palate.serve.retrain import main
from palate.serve.schedule import Schedule
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from serve.shop import model

SOON = 60.0
BEGINNING, MIDDLE = "training/.lock", "tempfile.mkdtemp"  # before anything is read, and when the model is fitted
SAVED, UNJUDGED = "os.rename.*/versions/2", r"open.*/versions/2[^/]*/\.card\.json\.new"


@pytest.fixture
def service(tmp_path):
    """One that serves a model and has logged what makes training due."""
    made = Service(ServeConfig(retrain_events=60), tmp_path / "state")
    model("popular").save(tmp_path / "model")
    lineup = Lineup(made, Registry(made.folder))
    lineup.start(tmp_path / "model")
    rows = [Event(f"e{row}", f"u{row % 30}", f"i{row % 30 % 3 * 12 + row * 5 % 12}", 5000.0 + row) for row in range(60)]
    made.tell(rows).result(SOON)
    yield made
    lineup.close()
    made.close()


@pytest.fixture
def dying(tmp_path, monkeypatch):
    """A place to a real training process that dies there by SIGKILL; "" lets it live."""
    shutil.copy(Path(__file__).with_name("dying.py"), tmp_path / "sitecustomize.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))

    def train(schedule, place):
        monkeypatch.setenv("DIE_AT", place)
        schedule.train()
        schedule._waiting.join(SOON)
        return Attempt.last(schedule._service.folder)

    return train


def lying(registry):
    return sorted(path.name for path in (registry.root / "versions").iterdir())


def test_training_that_is_killed_anywhere_is_told_of_and_tried_again_and_the_service_goes_on(service, dying, caplog):
    registry, schedule = Registry(service.folder), Schedule(service)
    (first,) = registry.ids()
    assert schedule.due(time())
    for kills, place in enumerate((BEGINNING, MIDDLE, SAVED), start=1):
        last = dying(schedule, place)
        assert (last.how, last.signal, last.kills, last.version) == ("killed", "SIGKILL", kills, "")
        assert f"killed by SIGKILL after {last.ended - last.began:.0f} s; often the memory was full" in caplog.text
        assert lying(registry) == [first]
        assert service.recommend(Ask(user_id="u0"), monotonic() + 5).result().version == first
        delay = 60 * 2 ** (kills - 1)
        assert not schedule.due(last.ended + delay - 1)
        assert schedule.due(last.ended + delay)
    last = dying(schedule, "")
    assert last.how in ("passed", "undecided", "refused")
    assert (last.version, last.kills, last.sequence) == (registry.ids()[1], 0, 60)
    assert not schedule.due(time() + 1e9)


def test_a_version_that_was_published_and_not_judged_is_judged_next(service, dying):
    registry, schedule = Registry(service.folder), Schedule(service)
    assert dying(schedule, UNJUDGED).how == "killed"
    left = registry.ids()[1]
    assert registry.card(left)["gate"] is None
    found = dying(schedule, "")
    assert (found.version, found.sequence) == (left, 60)
    assert len(registry.ids()) == 2
    assert registry.card(left)["gate"]["verdict"] == found.how


def test_what_failed_with_an_error_of_its_own_is_not_tried_again(service, dying):
    registry, schedule = Registry(service.folder), Schedule(service)
    path = service.folder / "versions" / registry.ids()[0] / "tree.json"
    whole = path.read_bytes()
    path.write_bytes(b"{")
    last = dying(schedule, "")
    path.write_bytes(whole)
    assert last.how == "failed"
    assert "is not served" in last.why
    assert not schedule.due(time() + 1e9)


def test_who_stops_the_service_stops_training_which_is_tried_again(service):
    schedule = Schedule(service)
    schedule.train()
    schedule.close()
    last = Attempt.last(service.folder)
    assert (last.how, last.kills) == ("stopped", 0)
    again = Schedule(service)
    again.start()
    again.close()
    assert not again.due(last.ended)
    assert again.due(last.ended + attempt.DELAY_S)


def test_what_was_under_way_when_the_service_was_killed_is_found_at_the_next_start(service):
    (service.folder / "versions" / ".unfinished-x").mkdir()
    Attempt(time(), sequence=60, kills=2).keep(service.folder)
    schedule = Schedule(service)
    schedule.start()
    schedule.close()
    last = Attempt.last(service.folder)
    assert (last.how, last.signal, last.kills) == ("killed", attempt.GONE, 3)
    assert not schedule.due(last.ended + 239)
    assert schedule.due(last.ended + 240)
    assert lying(Registry(service.folder)) == Registry(service.folder).ids()


def test_the_delay_has_an_end():
    last = Attempt(0.0, ended=10.0, how="killed", signal="SIGKILL", kills=500)
    assert last.again == 10 + attempt.LONGEST_S
    assert replace(last, how="failed").again is None


STARTS = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE)
print(child.pid, flush=True)
child.wait()
"""
HOLDS = """
import threading, time
from pathlib import Path
from palate.serve import retrain
threading.Thread(target=retrain._end_with_input, daemon=True).start()
with retrain._alone(Path("training")):
    Path("held").touch()
    time.sleep(60)
"""


def test_training_ends_with_the_service_that_began_it_and_no_other_begins_before(tmp_path, monkeypatch, capsys):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    words = [sys.executable, "-c", STARTS, HOLDS]
    parent = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    until = monotonic() + SOON
    while not (tmp_path / "held").exists() and monotonic() < until:
        sleep(0.05)
    monkeypatch.setattr("palate.serve.retrain.PATIENCE_S", 0.1)
    monkeypatch.setattr("palate.serve.retrain._end_with_input", lambda: None)
    monkeypatch.setattr(os, "nice", lambda _: 0)
    assert main(tmp_path) == 1
    assert f"process {child} trains here; wait until it ends, or end it" in capsys.readouterr().err
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    monkeypatch.setattr("palate.serve.retrain.PATIENCE_S", SOON)
    assert main(tmp_path) == 1
    assert "no version is live" in capsys.readouterr().err


def test_a_damaged_file_is_told_of_and_forgotten(tmp_path, caplog):
    assert Attempt.last(tmp_path) is None
    (tmp_path / attempt.FILE).write_text(json.dumps({"nonsense": 1}))
    assert Attempt.last(tmp_path) is None
    assert "damaged" in caplog.text


def test_a_folder_that_cannot_be_written_to_ends_no_service(tmp_path, caplog):
    Attempt(0.0).keep(tmp_path / "none")
    assert "cannot be written" in caplog.text
    with pytest.raises(StoreError, match="no version is live"):
        Registry(tmp_path).serving()
