"""What a service remembers, and what it writes a moment later."""

import threading
from time import monotonic

from sqlalchemy import func, select

from palate.errors import AssetError
from palate.serve.aliases import Aliases
from palate.serve.asks import Ask
from palate.serve.entries import Entry
from palate.serve.events import Event
from palate.serve.service import Service
from palate.serve.tables import exposures
from palate.serve.trained import Training
from palate.serve.version import Version

SOON = 60.0


def asked(service, **ask):
    return service.recommend(Ask(**ask), monotonic() + SOON).result(SOON)


def test_events_that_every_open_version_was_trained_with_are_forgotten_until_an_older_one_is_opened(made):
    service = made()
    first, user = service.live, "somebody"
    told = [Event(f"e{n}", user, f"i{n}", 1000.0 + n) for n in range(3)]
    seqs = [one.seq for one in service.tell(told).result(SOON).new]
    newer = service.open_version("newer", Training(sequence=seqs[1]).marked(first.model))
    service.follow(Aliases(live="newer", previous=first.name))
    assert len(service.state.events_of(user)) == 3  # the previous one reads them
    service.follow(Aliases(live="newer"))
    assert [one.event_id for one in service.state.events_of(user)] == ["e2"]
    assert service.state.count_after(newer.training.sequence) == 1
    service.open_version("older", first.model)
    assert [one.event_id for one in service.state.events_of(user)] == ["e0", "e1", "e2"]
    service.follow(Aliases(live="older"))
    assert len(service.state.events_of(user)) == 3


def test_a_restart_reads_the_events_that_the_version_was_not_trained_with(made):
    before = made()
    told = [Event(f"e{n}", "somebody", f"i{n}", 1000.0 + n) for n in range(4)]
    seqs = [one.seq for one in before.tell(told).result(SOON).new]
    model = before.live.model
    before.close()
    after = Service(before.config, before.folder)
    after.serve(after.open_version("newer", Training(sequence=seqs[1]).marked(model)))
    assert [one.event_id for one in after.state.events_of("somebody")] == ["e2", "e3"]
    assert (after.state.last_seq, after.state.count_after(seqs[1])) == (seqs[3], 2)
    after.open_version("held out", Training(sequence=seqs[3], until=1002.0).marked(model))
    assert [one.event_id for one in after.state.events_of("somebody")] == ["e2", "e3"]
    after.open_version("older", Training(sequence=seqs[0]).marked(model))
    assert [one.event_id for one in after.state.events_of("somebody")] == ["e1", "e2", "e3"]
    after.close()


def test_what_was_held_out_of_training_is_read_whenever_it_came(made):
    before = made()
    told = [Event(f"e{n}", "somebody", f"i{n}", 1000.0 + n) for n in range(4)]
    seqs = [one.seq for one in before.tell(told).result(SOON).new]
    before.close()
    after = Service(before.config, before.folder)
    after.open_version("first", Training(sequence=seqs[3], until=1002.0).marked(before.live.model))
    assert [one.event_id for one in after.state.events_of("somebody")] == ["e3"]
    after.close()


def rows(service):
    with service.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(exposures)).scalar_one()


def test_a_list_made_before_an_item_was_read_is_not_remembered_beyond_that(made):
    service = made(cache_s=300.0)
    service.put("item", [Entry("late", {"title": "a quite singular zeppelin"})]).result(SOON)
    before = asked(service, text="a quite singular zeppelin", k=3)
    service.read_on().result(SOON)
    after = asked(service, text="a quite singular zeppelin", k=3)
    assert "late" not in [one.item_id for one in before.items]
    assert after.items[0].item_id == "late"


def test_lists_do_not_wait_for_what_reads_posted_items_and_items_are_read_once_it_is_there(made, monkeypatch):
    service, loaded = made(), threading.Event()
    monkeypatch.setattr(Version, "wake", lambda version: loaded.wait(SOON))
    service.serve(service.open_version("again", service.live.model))
    service.put("item", [Entry("late", {"title": "a quite singular zeppelin"})]).result(SOON)
    reading = service.read_on()
    assert asked(service, user_id="u1").version == "again"
    assert not reading.done()
    loaded.set()
    reading.result(SOON)
    assert asked(service, text="a quite singular zeppelin", k=3).items[0].item_id == "late"


def test_what_cannot_be_loaded_is_told(made, monkeypatch, caplog):
    def broken(version):
        raise AssetError("no such folder")

    service = made()
    monkeypatch.setattr(Version, "wake", broken)
    service.open_version("again", service.live.model)
    service.read_on().result(SOON)
    assert "posted items cannot be read" in caplog.text


def test_a_list_that_was_shown_is_written_soon(made):
    service = made()
    listing = asked(service, user_id="u1")
    service.exposed("r1", Ask(user_id="u1"), listing)
    end = monotonic() + SOON
    while not rows(service):
        assert monotonic() < end
    assert rows(service) == 1


def test_lists_shown_before_an_erasure_are_erased_with_the_rest(made):
    service = made()
    listing = asked(service, user_id="u1")
    for name in ("r1", "r2"):
        service.exposed(name, Ask(user_id="u1"), listing)
    assert service.erase("u1").result(SOON)["exposures"] == 2
    assert rows(service) == 0
