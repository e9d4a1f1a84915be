import shutil

import pytest

from palate.errors import ConflictError, StoreError
from palate.serve import retrain
from palate.serve.asks import Ask
from palate.serve.entries import Entry
from palate.serve.events import Event
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from palate.serve.schedule import Schedule
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from palate.serve.trained import Training
from serve.shop import model

SOON = 60.0


@pytest.fixture
def service(tmp_path):
    made = Service(ServeConfig(retrain_events=5), tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def registry(service):
    return Registry(service.folder)


@pytest.fixture
def lineup(service, registry):
    made = Lineup(service, registry)
    yield made
    made.close()


@pytest.fixture
def saved(tmp_path):
    model("popular").save(tmp_path / "model")
    return tmp_path / "model"


def test_a_named_model_is_published_once_and_served(service, registry, lineup, saved):
    lineup.start(saved)
    assert registry.aliases().live == service.live.name
    again = Lineup(service, registry)
    again.start(saved)
    again.close()
    assert registry.ids() == [service.live.name]


def test_the_service_follows_the_aliases(service, registry, lineup, saved):
    lineup.start(saved)
    first = service.live.name
    second = registry.publish(model("ease"))
    registry.promote(second, force=True)
    lineup.look()
    assert service.live.name == second
    assert first in service.versions
    registry.rollback()
    lineup.look()
    assert service.live.name == first


def test_a_canary_answers_its_share_and_always_the_same_people(service, registry, lineup, saved):
    lineup.start(saved)
    other = registry.publish(model("ease"))
    registry.canary(other, 0.5, force=True)
    lineup.look()
    people = [f"p{row}" for row in range(200)]
    answered = [service.chosen(one).name for one in people]
    assert 70 < answered.count(other) < 130
    assert answered == [service.chosen(one).name for one in people]
    assert service.chosen(None).name == service.live.name


def test_a_damaged_version_is_not_taken(service, registry, lineup, saved, caplog):
    lineup.start(saved)
    first = service.live.name
    second = registry.publish(model("ease"))
    registry.promote(second, force=True)
    (service.folder / "versions" / second / "arrays.safetensors").write_bytes(b"nonsense")
    lineup.look()
    assert service.live.name == first
    assert "is not taken" in caplog.text
    restarted = Lineup(service, registry)
    restarted.start(None)
    restarted.close()
    assert service.live.name == first


def test_nothing_whole_to_serve_is_told(registry, lineup, saved):
    (saved / "arrays.safetensors").write_bytes(b"nonsense")
    with pytest.raises(StoreError, match="damaged"):
        lineup.start(saved)


def test_a_version_that_fails_is_taken_back(service, registry, lineup, saved):
    lineup.start(saved)
    first = service.live.name
    second = registry.publish(model("ease"))
    registry.promote(second, force=True)
    lineup.look()
    service.live.answer = lambda *_: 1 / 0
    for row in range(30):
        service.recommend(Ask(user_id=f"u{row}"), far()).result(SOON)
    lineup.look()
    assert service.live.name == first
    assert registry.audit()[-1]["what"] == "rollback"
    assert "answers" in registry.audit()[-1]["why"]


def far():
    from time import monotonic

    return monotonic() + SOON


def told(service, n, start=0):
    """Log that u0 to u29 each liked one more item of their shelf."""
    rows = [
        Event(f"e{start + row}", f"u{row % 30}", f"i{row % 30 % 3 * 12 + (row * 5 + start) % 12}", 5000.0 + start + row)
        for row in range(n)
    ]
    return service.tell(rows).result(SOON)


def test_the_log_of_today_is_what_was_trained_on_and_what_came(service, lineup, saved):
    lineup.start(saved)
    told(service, 3)
    service.put("item", [Entry("new", {"title": "rocket"}), Entry("i35", deleted=True)]).result(SOON)
    service.erase("u1").result(SOON)
    data = retrain.today(service.live.model, service.engine, 3)
    assert "new" in data.items.ids
    assert "i35" not in data.items.ids
    assert "u1" not in data.users.ids
    assert {5000.0, 5002.0} <= set(data.events.time)
    assert 5001.0 not in set(data.events.time)
    trained = Training(sequence=3, began=0.0).marked(service.live.model)
    assert 5000.0 not in set(retrain.today(trained, service.engine, 3).events.time)


def test_training_anew_makes_a_version_that_knows_what_came(service, registry, lineup, tmp_path):
    model().save(tmp_path / "balanced")
    lineup.start(tmp_path / "balanced")
    told(service, 60)
    service.put("item", [Entry("new", {"title": "rocket moon"})]).result(SOON)
    found = retrain.retrain(registry, service.engine, service.config, tmp_path / "work")
    made = registry.load(found["version"])
    log = Training.of(made)
    assert log.sequence == 60
    assert made.data.events.time.max() <= log.until < 5059.0
    assert "new" in made.data.items.ids
    assert found["verdict"] in ("passed", "undecided", "refused")
    assert registry.card(found["version"])["gate"]["verdict"] == found["verdict"]
    assert (registry.aliases().live == found["version"]) == (found["verdict"] == "passed")


def test_training_is_due_after_so_many_events(service, lineup, saved):
    lineup.start(saved)
    schedule = Schedule(service)
    assert not schedule.due(0.0)
    told(service, 4)
    assert not schedule.due(0.0)
    told(service, 1, start=4)
    assert schedule.due(0.0)


def test_training_runs_beside_the_service(service, registry, lineup, saved):
    lineup.start(saved)
    told(service, 60)
    schedule = Schedule(service)
    schedule.train()
    with pytest.raises(ConflictError, match="under way"):
        schedule.train()
    schedule._waiting.join(SOON)
    assert len(registry.ids()) == 2
    assert not schedule.due(0.0)
    schedule.close()
    shutil.rmtree(service.folder / "versions")
