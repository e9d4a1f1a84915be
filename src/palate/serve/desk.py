"""Asks from many requests to one thread that answers what waits together, each before its deadline or not at all."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Full, Queue
from statistics import median
from time import monotonic

from palate.errors import ContractError, OverloadError, PalateError
from palate.runtime import log
from palate.serve.asks import FAILED, Ask, Listing
from palate.serve.batches import batches
from palate.serve.course import LATELY, Clock, Expected, timed
from palate.serve.version import Version

LEAST_MS = 5.0  # of its time, that an answer needs besides the stages
PATIENCE = (
    0.5  # of its time, that an ask may wait for its turn: what waits longer comes too late, or without its stages
)


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """One ask in the queue. deadline: seconds of the monotonic clock."""

    ask: Ask
    version: Version
    deadline: float
    came: float = field(default_factory=monotonic)
    done: "Future[Listing]" = field(default_factory=Future)

    @property
    def alike(self) -> tuple[object, ...]:
        """Equal for asks that can be answered together."""
        one = self.ask
        return (self.version.name, one.explain, one.include_seen, one.candidates, one.allow, one.deny, one.where)


class Desk:
    """A bounded queue of asks and the one thread that answers them.

    Nothing waits for company: what came in while the last batch was answered is the next one. Where an ask's time is
    too short for every stage, stages are left out in the order of giving up, and the listing says which; where it is
    too short for any list, the one made beforehand for everybody is given. An ask whose deadline has passed is dropped.
    An ask that would wait for more than PATIENCE of its time is refused at once, so that those who are let in are
    answered whole: however many come, as many are answered as can be.
    """

    def __init__(
        self,
        *,
        waiting: int,
        together: int,
        order: Sequence[str],
        told: Callable[[Waiting, Listing | Exception, float], None] = lambda *_: None,
    ) -> None:
        self._queue: Queue[Waiting | None] = Queue(maxsize=waiting)
        self._together = together
        self._order = tuple(order)
        self._told = told
        self._expected: dict[str, Expected] = {}
        self._closed, self._turn = False, threading.Lock()
        self._answering = 0
        self._each_s = 0.0
        self._lately: deque[float] = deque(maxlen=LATELY)
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._thread.start()

    def submit(self, version: Version, ask: Ask, deadline: float) -> "Future[Listing]":
        """The listing, when its turn has come. Raises OverloadError at once where it could not come in time."""
        one = Waiting(ask, version, deadline)
        if self.wait_s > PATIENCE * (deadline - monotonic()):
            raise OverloadError("too many requests are waiting for an answer in time; ask again in a moment")
        with self._turn:
            if self._closed:
                raise OverloadError("the service is stopping; ask again in a moment")
            try:
                self._queue.put_nowait(one)
            except Full:
                raise OverloadError("too many requests are waiting; ask again in a moment") from None
        return one.done

    def expected(self, version: Version) -> Expected:
        """What the stages of a version are expected to take."""
        return self._expected.setdefault(version.name, Expected())

    @property
    def waiting(self) -> int:
        """How many asks wait."""
        return self._queue.qsize()

    @property
    def wait_s(self) -> float:
        """How long an ask that comes now would wait for its turn, about."""
        return (self._queue.qsize() + self._answering) * self._each_s

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._turn:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        for batch in batches(self._queue, self._together):
            self._answering, began = len(batch), monotonic()
            self._answer(batch)
            self._lately.append((monotonic() - began) / len(batch))
            self._each_s = median(self._lately)
            self._answering = 0

    def _answer(self, batch: list[Waiting]) -> None:
        groups: dict[tuple[object, ...], tuple[list[Waiting], tuple[str, ...] | None]] = {}
        for one in batch:
            if not one.done.set_running_or_notify_cancel():
                continue  # nobody waits for it any more
            room_ms = (one.deadline - monotonic()) * 1000 - LEAST_MS
            if room_ms < 0:
                self._fail(one, OverloadError("the deadline passed before its turn came; ask again in a moment"))
                continue
            present = one.version.stages(explain=one.ask.explain)
            without = self.expected(one.version).left_out(room_ms, present, self._order)
            groups.setdefault((*one.alike, without), ([], without))[0].append(one)
        for members, without in groups.values():
            self._together_answered(members, without)

    def _together_answered(self, members: list[Waiting], without: tuple[str, ...] | None) -> None:
        version = members[0].version
        asks = [one.ask for one in members]
        clock = Clock()
        try:
            if without is None:
                found = [version.crowd(ask) for ask in asks]
            else:
                degraded = tuple(f"{stage}_deadline" for stage in without)
                found = version.answer(asks, timed(version.recommender, clock, without), degraded)
                self.expected(version).learn(clock.taken)
        except Exception as error:  # noqa: BLE001 - a bug in one answer must not end the thread that gives them all
            if len(members) > 1:  # whose fault it was
                for one in members:
                    self._together_answered([one], without)
            else:
                self._instead(members[0], error)
            return
        for one, listing in zip(members, found, strict=True):
            self._give(one, replace(listing, timings=tuple(clock.taken.items())))

    def _instead(self, one: Waiting, error: Exception) -> None:
        """What is wrong with the ask, or, where the version is at fault, the list for everybody."""
        if isinstance(error, PalateError) and not isinstance(error, ContractError):
            self._fail(one, error)
            return
        log.error("version %s could not answer", one.version.name, exc_info=error)
        try:
            listing = one.version.crowd(one.ask, FAILED)
        except Exception:  # noqa: BLE001 - it has no list at all
            self._fail(one, error)
        else:
            self._give(one, listing)

    def _give(self, one: Waiting, listing: Listing) -> None:
        self._told(one, listing, (monotonic() - one.came) * 1000)
        one.done.set_result(listing)

    def _fail(self, one: Waiting, error: Exception) -> None:
        self._told(one, error, (monotonic() - one.came) * 1000)
        one.done.set_exception(error)
