"""Work on the database from many requests to one thread that commits it in groups."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Full, Queue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from palate.errors import FullError, OverloadError, StoreError
from palate.runtime import log
from palate.serve.batches import batches

R = TypeVar("R")
FULL = ("disk is full", "No space left")  # as SQLite and PostgreSQL say it


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    work: Callable[[Connection], Any]
    then: Callable[[Any], None]
    done: "Future[Any]"


class Writer:
    """The only one who writes: whatever waits when a commit ends goes into the next one together.

    An answer is given after its commit, so what was acknowledged is on disk. `then` runs in this thread after the
    commit, one job after the other in their order, before the answer is given: who has the answer sees the effect.
    A job that fails is undone alone.
    """

    def __init__(self, engine: Engine, *, waiting: int = 2000, together: int = 500) -> None:
        self._engine = engine.execution_options(writes=True)
        self._together = together
        self._jobs: Queue[_Job | None] = Queue(maxsize=waiting)
        self._closed = False
        self._turn = threading.Lock()  # nothing comes behind the end of the queue
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Connection], R], then: Callable[[R], None] = lambda _: None) -> "Future[R]":
        """The result of `work`, once it is committed. Raises OverloadError at once where too many wait already."""
        job = _Job(work, then, Future())
        with self._turn:
            if self._closed:
                raise OverloadError("the event log is closing; send it again in a moment")
            try:
                self._jobs.put_nowait(job)
            except Full:
                raise OverloadError("too many writes are waiting; send it again in a moment") from None
        return job.done

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return self._jobs.qsize()

    def close(self) -> None:
        """Finish what waits, then stop."""
        with self._turn:
            first, self._closed = not self._closed, True
        if first:
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        for jobs in batches(self._jobs, self._together):
            self._commit([job for job in jobs if job.done.set_running_or_notify_cancel()])

    def _commit(self, jobs: list[_Job]) -> None:
        """All in one transaction, each undone alone if it fails; nothing is told before the commit."""
        told: list[tuple[_Job, Any]] = []
        try:
            with self._engine.begin() as connection:
                for job in jobs:
                    try:
                        with connection.begin_nested():
                            told.append((job, job.work(connection)))
                    except (OperationalError, InterfaceError):
                        raise  # the database's trouble, not the job's
                    except Exception as error:  # noqa: BLE001 - it is the asker's, who gets it from the future
                        job.done.set_exception(error)
        except Exception as error:  # noqa: BLE001 - the thread that writes must go on
            cause = _first(error)
            log.error("the database refused a write: %s", cause)
            kind = FullError if any(one in str(cause) for one in FULL) else StoreError
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(kind(f"the database refused the write: {cause}"))
            return
        for job, result in told:
            try:
                job.then(result)
            except Exception as error:  # noqa: BLE001 - the thread that writes must go on
                log.exception("what follows a write failed")
                job.done.set_exception(error)
            else:
                job.done.set_result(result)


def _first(error: BaseException) -> BaseException:
    """What went wrong to begin with: where a full disk has ended a transaction, undoing a part of it fails too."""
    found = error
    while (before := error.__context__) is not None:
        error = before
        found = error if isinstance(error, DBAPIError) else found
    return found.orig or found if isinstance(found, DBAPIError) else found
