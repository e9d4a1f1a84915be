"""The one who writes, on SQLite and on PostgreSQL: groups, answers after the commit, bounds, a clean end."""

import threading

import pytest
from sqlalchemy import event as listening
from sqlalchemy.exc import OperationalError

from palate.errors import ConflictError, FullError, OverloadError, StoreError
from palate.serve import events as log
from palate.serve.database import opened
from palate.serve.events import Event
from palate.serve.writer import Writer


@pytest.fixture
def engine(address):
    engine = opened(address)
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine):
    writer = Writer(engine, waiting=20)
    yield writer
    writer.close()


class Gate:
    """A job that holds the writer until it is opened."""

    def __init__(self, writer):
        self.inside, self.open = threading.Event(), threading.Event()
        self.done = writer.submit(self._work)
        assert self.inside.wait(5)

    def _work(self, _):
        self.inside.set()
        assert self.open.wait(5)


def tell(writer, *names, user="u1", then=lambda _: None):
    events = [Event(name, user, "i1", 1.0) for name in names]
    return writer.submit(lambda connection: log.append(connection, events), then)


def names(engine):
    return [one.event_id for one in log.since(engine, 0)]


def test_what_waits_is_committed_together(engine, writer):
    commits = []
    gate = Gate(writer)
    listening.listen(engine, "commit", lambda _: commits.append(1))
    jobs = [tell(writer, f"e{number}") for number in range(10)]
    gate.open.set()
    for job in jobs:
        job.result(5)
    assert names(engine) == [f"e{number}" for number in range(10)]
    assert len(commits) == 2  # the gate's and that of the ten


def test_an_answer_is_given_after_its_commit_and_its_effect(engine, writer):
    seen = []
    job = tell(writer, "e1", then=lambda _: seen.append(names(engine)))
    job.result(5)
    assert seen == [["e1"]]


def test_a_job_that_fails_is_undone_alone(engine, writer):
    tell(writer, "e1").result(5)
    gate = Gate(writer)
    before = tell(writer, "e2")
    conflict = tell(writer, "e3", "e1", user="u2")
    after = tell(writer, "e4")
    gate.open.set()
    before.result(5), after.result(5)
    with pytest.raises(ConflictError):
        conflict.result(5)
    assert names(engine) == ["e1", "e2", "e4"]


def test_a_bug_in_a_job_is_the_askers_and_the_others_are_written(engine, writer):
    gate = Gate(writer)
    bug = writer.submit(lambda _: 1 / 0)
    after = tell(writer, "e1")
    gate.open.set()
    with pytest.raises(ZeroDivisionError):
        bug.result(5)
    after.result(5)
    assert names(engine) == ["e1"]


def test_a_bug_in_what_follows_a_write_is_the_askers(engine, writer):
    with pytest.raises(ZeroDivisionError):
        tell(writer, "e1", then=lambda _: 1 / 0).result(5)
    tell(writer, "e2").result(5)
    assert names(engine) == ["e1", "e2"]


def test_too_much_is_refused_at_once_and_nothing_of_it_is_written(engine, writer):
    gate = Gate(writer)
    waiting = [tell(writer, f"e{number}") for number in range(20)]
    with pytest.raises(OverloadError, match="too many writes"):
        tell(writer, "late")
    assert writer.waiting == 20
    gate.open.set()
    for job in waiting:
        job.result(5)
    assert "late" not in names(engine)


def test_close_writes_what_waits_and_then_refuses(engine, writer):
    gate = Gate(writer)
    waiting = [tell(writer, f"e{number}") for number in range(5)]
    gate.open.set()
    writer.close()
    assert all(job.done() for job in waiting)
    assert len(names(engine)) == 5
    with pytest.raises(OverloadError, match="closing"):
        tell(writer, "late")


def test_nobody_who_writes_while_it_closes_waits_for_ever(engine):
    writer = Writer(engine)
    told, refused = [], threading.Event()

    def keep_telling():
        try:
            told.extend(tell(writer, f"e{number}") for number in range(100_000))
        except OverloadError:
            refused.set()

    thread = threading.Thread(target=keep_telling)
    thread.start()
    writer.close()
    thread.join(20)
    assert refused.is_set()
    for job in told:
        job.result(5)
    assert len(names(engine)) == len(told)


def test_a_job_that_nobody_waits_for_any_more_is_not_done(engine, writer):
    gate = Gate(writer)
    job = tell(writer, "e1")
    assert job.cancel()
    gate.open.set()
    tell(writer, "e2").result(5)
    assert names(engine) == ["e2"]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        pytest.param("database or disk is full", FullError, id="sqlite-full"),
        pytest.param("could not extend file: No space left on device", FullError, id="postgresql-full"),
        pytest.param("disk I/O error", StoreError, id="broken"),
    ],
)
def test_a_database_that_refuses_tells_everyone_and_the_writer_goes_on(engine, writer, told, kind):
    def refuse(_):
        raise OperationalError("INSERT", {}, Exception(told))

    gate = Gate(writer)
    jobs = [tell(writer, "e1"), writer.submit(refuse), tell(writer, "e2")]
    gate.open.set()
    for job in jobs:
        with pytest.raises(StoreError) as error:
            job.result(5)
        assert type(error.value) is kind
    assert names(engine) == []
    tell(writer, "e3").result(5)
    assert names(engine) == ["e3"]


def test_a_pool_that_gives_no_connection_does_not_end_the_writer(engine, writer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(writer._engine, "begin", lambda: 1 / 0)
        job = tell(writer, "e1")
        with pytest.raises(StoreError):
            job.result(5)
    tell(writer, "e2").result(5)
    assert names(engine) == ["e2"]
