"""The durable log, on SQLite and on PostgreSQL: each event once, in order, all of a batch or nothing."""

from dataclasses import replace

import pytest

from palate.errors import ConflictError
from palate.serve import events as log
from palate.serve.database import opened
from palate.serve.events import Event
from palate.serve.writer import Writer


@pytest.fixture
def engine(address):
    engine = opened(address)
    yield engine
    engine.dispose()


def event(number: int, user: str = "u1", **more) -> Event:
    return Event(f"e{number}", user, f"i{number % 5}", 1000.0 + number, **more)


def append(engine, events):
    with engine.begin() as connection:
        return log.append(connection, events)


def test_events_come_back_as_they_were_written_in_the_order_of_the_log(engine):
    written = [event(3, text="très bon, 很好", value=4.5, kind="buy"), event(1), event(2)]
    receipt = append(engine, written)
    found = list(log.since(engine, 0))
    assert [replace(one, seq=0) for one in found] == written
    assert [one.seq for one in found] == sorted({one.seq for one in found})
    assert tuple(found) == receipt.new
    assert log.last_seq(engine) == found[-1].seq


def test_only_events_after_a_place_are_given(engine):
    first = append(engine, [event(1), event(2)]).new
    second = append(engine, [event(3)]).new
    assert tuple(log.since(engine, first[-1].seq)) == second


def test_an_empty_log_has_no_last_place(engine):
    assert log.last_seq(engine) == 0
    assert list(log.since(engine, 0)) == []
    assert log.newest(engine, 3) == []


def test_an_event_sent_again_changes_nothing(engine):
    first = append(engine, [event(1), event(2)])
    again = append(engine, [event(2), event(3), event(1), event(3)])
    assert [one.event_id for one in first.new] == ["e1", "e2"]
    assert [one.event_id for one in again.new] == ["e3"]
    assert sorted(again.repeated) == ["e1", "e2"]
    assert [one.event_id for one in log.since(engine, 0)] == ["e1", "e2", "e3"]


def test_an_event_that_another_process_wrote_in_the_meantime_is_a_repeated_one(engine, monkeypatch):
    first = append(engine, [event(1)])
    inner, asked = log._known, []

    def known(connection, given):
        asked.append(list(given))
        return inner(connection, given) if len(asked) > 1 else set()

    monkeypatch.setattr(log, "_known", known)
    found = append(engine, [event(1), event(2)])
    assert [one.event_id for one in found.new] == ["e2"]
    assert found.repeated == ("e1",)
    assert asked == [["e1", "e2"], ["e1"]]
    assert list(log.since(engine, 0)) == [*first.new, *found.new]


def test_the_same_event_at_another_time_is_the_same_event(engine):
    append(engine, [event(1)])
    assert append(engine, [replace(event(1), time=5.0)]).repeated == ("e1",)


@pytest.mark.parametrize(
    "change",
    [{"user_id": "u2"}, {"item_id": "i9"}, {"value": 1.0}, {"kind": "buy"}, {"text": "no"}],
    ids=lambda change: next(iter(change)),
)
def test_an_id_that_stands_for_another_event_refuses_the_whole_batch(engine, change):
    append(engine, [event(1)])
    with pytest.raises(ConflictError, match='event_id "e1" stands for another event'):
        append(engine, [event(7), replace(event(1), **change), event(8)])
    assert [one.event_id for one in log.since(engine, 0)] == ["e1"]


def test_two_events_of_one_batch_with_one_id_are_refused(engine):
    with pytest.raises(ConflictError):
        append(engine, [event(1), replace(event(1), value=2.0)])
    assert log.last_seq(engine) == 0


def test_a_batch_longer_than_one_statement_is_written_whole_and_once(engine):
    many = [event(number) for number in range(log.PART * 2 + 7)]
    assert len(append(engine, many).new) == len(many)
    assert len(append(engine, many).repeated) == len(many)
    assert [one.event_id for one in log.since(engine, 0)] == [one.event_id for one in many]


def test_a_users_events_are_theirs_alone(engine):
    append(engine, [event(1), event(2, "u2"), event(3)])
    assert [one.event_id for one in log.of_user(engine, "u1")] == ["e1", "e3"]
    assert [one.event_id for one in log.newest(engine, 2)] == ["e3", "e2"]


def test_what_is_erased_is_counted_and_leaves_the_others(engine):
    append(engine, [event(1), event(2, "u2"), event(3)])
    with engine.begin() as connection:
        assert log.erase(connection, "u1") == {"events": 2, "exposures": 0}
        assert log.erase(connection, "u1") == {"events": 0, "exposures": 0}
    assert [one.user_id for one in log.since(engine, 0)] == ["u2"]


def test_a_place_in_the_order_is_never_given_twice(engine):
    last = append(engine, [event(1), event(2)]).new[-1].seq
    with engine.begin() as connection:
        log.erase(connection, "u1")
    assert append(engine, [event(3)]).new[0].seq > last


def test_the_log_survives_its_process(address):
    engine = opened(address)
    writer = Writer(engine)
    written = writer.submit(lambda connection: log.append(connection, [event(1)])).result().new
    writer.close()
    engine.dispose()
    again = opened(address)
    assert tuple(log.since(again, 0)) == written
    again.dispose()
