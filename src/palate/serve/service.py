"""The service without HTTP: versions of a model beside one durable log, asked and told in outside ids."""

import asyncio
import shutil
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, time
from typing import Any, TypeVar

from cachetools import TTLCache
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import DBAPIError

from palate.errors import ContractError, FullError, PalateError, StoreError, UnknownIdError
from palate.model import Model
from palate.runtime import log
from palate.serve import directory
from palate.serve import entries as stored
from palate.serve import events as logged
from palate.serve.aliases import Aliases
from palate.serve.asks import FAILED, Ask, Listing
from palate.serve.counters import Counters
from palate.serve.database import opened, overwrite
from palate.serve.desk import PATIENCE, Desk, Waiting
from palate.serve.entries import Entry
from palate.serve.events import Event, Receipt
from palate.serve.exposures import ExposureLog
from palate.serve.keys import Keys
from palate.serve.rates import Rates
from palate.serve.settings import ServeConfig
from palate.serve.state import State
from palate.serve.trained import Training
from palate.serve.version import Version
from palate.serve.watch import Watch, WatchConfig
from palate.serve.writer import Writer

T = TypeVar("T")
REMEMBERED = 20_000  # lists
READ_S = 1.0  # how long a post waits for lists to hold what was posted
WARM = 5  # users who are answered before the service is ready


class Service:
    """Everything behind the routes: who asks gets a future, who tells gets one that is done when it is on disk.

    Nothing here changes a version: a list is the version's answer, the state's events and what is in the annex.
    """

    def __init__(self, config: ServeConfig, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror}; name a folder for the state that may be written") from None
        self.config, self.folder = config, folder
        self.counters = Counters()
        self.state = State()
        self.engine = opened(config.database or f"sqlite:///{folder / 'service.db'}")
        self.keys = Keys(self.engine)
        self.rates = Rates(config.rate)
        self.writer = Writer(self.engine, waiting=config.writes_waiting)
        self._shown = ExposureLog(self.writer, self.counters.refused.labels("exposure").inc)
        self.desk = Desk(waiting=config.waiting, together=config.together, order=config.order, told=self._count_answer)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
        self._cache: TTLCache[Any, Listing] = TTLCache(REMEMBERED, config.cache_s or 1e-9)
        self._turn = threading.Lock()
        self.watch = Watch(_watching(config))
        self.versions: dict[str, Version] = {}
        self.aliases = Aliases()
        self.ready = False
        self._read: Training | None = None  # the state holds what a model so trained has not seen
        self._restore()

    def _restore(self) -> None:
        """Items and people as the database has them. Raises StoreError where it cannot be read."""
        with _readable(self.engine):
            self.state.changed_items(stored.all_of(self.engine, "item"))
            self.state.changed_users(stored.all_of(self.engine, "user"))

    def _recall(self, training: Training) -> None:
        """Hold the events that a model so trained has not seen, if the state does not yet. Raises StoreError."""
        if self._read and training.as_late_as(self._read):
            return
        needed = Training.earliest([training, self._read] if self._read else [training])

        def work(connection: Connection) -> tuple[list[Event], int]:
            unseen = logged.of_log(connection, needed.sequence, needed.until)
            return list(unseen), logged.last_of_log(connection)

        with _readable(self.engine):
            self.writer.submit(work, lambda found: self.state.again(*found)).result()
        self._read = needed

    def open_version(self, name: str, model: Model) -> Version:
        """A version brought up to date with the state and warmed up; it answers nobody yet.

        What reads posted items is loaded beside: lists do not wait for it, and an item that comes before is read then.
        """
        self._recall(Training.of(model))
        version = Version(name, model, self.state, self.config.encoder, self.config.ranker)
        self._warm(version)
        self._reader.submit(version.wake).add_done_callback(_complain)
        self.versions[name] = version
        return version

    def serve(self, live: Version) -> None:
        """From now on this version answers everybody."""
        self.follow(Aliases(live=live.name))

    def follow(self, aliases: Aliases) -> None:
        """From now on these answer, in one step; open versions that have no part in it are let go of.

        The live one must be open.
        """
        live = self.versions[aliases.live or ""]
        self.aliases = aliases
        self.counters.annex.set(len(live.annex))
        self.ready = True
        named = {aliases.live, aliases.previous, aliases.canary.version if aliases.canary else None}
        for name in [name for name in self.versions if name not in named]:
            del self.versions[name]
        read = Training.earliest([one.training for one in self.versions.values()])
        self._read = read
        self.state.forget(lambda event: not read.without(event))

    @property
    def live(self) -> Version:
        """The version that answers most. Raises UnknownIdError before there is one."""
        live = self.versions.get(self.aliases.live or "")
        if live is None:
            raise UnknownIdError("no version is live yet; publish one")
        return live

    def chosen(self, user_id: str | None) -> Version:
        """The version that answers a user, the same one each time while the aliases stay."""
        return self.versions.get(self.aliases.version_for(user_id) or "", self.live)

    def recommend(self, ask: Ask, deadline: float, version: Version | None = None) -> "Future[Listing]":
        """A list by that time (of the monotonic clock). Raises OverloadError at once where it could not be had."""
        version = version or self.chosen(ask.user_id if ask.personal else None)
        key = self._key(ask, version)
        with self._turn:
            known = self._cache.get(key)
        if known is not None:
            self.counters.cached.inc()
            found: Future[Listing] = Future()
            found.set_result(known)
            return found
        future = self.desk.submit(version, ask, deadline)
        if self.config.cache_s:
            future.add_done_callback(lambda done: self._remember(key, done))
        return future

    def tell(self, events: Sequence[Event]) -> "Future[Receipt]":
        """Log events; when the future is done they are on disk and in their users' next lists.

        Raises UnknownIdError for an item that nobody posted, OverloadError and FullError as the writer does.
        """
        live = self.live
        for one in events:
            if not live.knows(one.item_id):
                raise UnknownIdError(f'event "{one.event_id}": item "{one.item_id}" is not known; post the item first')
        self._room()
        return self.writer.submit(lambda connection: logged.append(connection, events), self._took_in)

    def put(self, what: str, given: Sequence[Entry]) -> "Future[list[Entry]]":
        """Write items or users ("item", "user") as they are now, deletions too; then the future is done.

        A deletion needs no room on the disk to begin with, so it is never refused for want of it.
        """
        if not all(one.deleted for one in given):
            self._room()
        took = self.state.changed_items if what == "item" else self.state.changed_users
        now = time()
        dated = [replace(one, changed=now) for one in given]
        return self.writer.submit(lambda connection: stored.put(connection, what, dated), took)

    def read_on(self) -> "Future[None]":
        """Done when every version has read the items that are posted by now."""

        def read() -> None:
            for version in list(self.versions.values()):
                version.catch_up()
            self.counters.annex.set(len(self.live.annex))

        return self._reader.submit(read)

    def erase(self, user_id: str) -> "Future[dict[str, int]]":
        """Remove a person from the log, what was posted of them and what is remembered; how many rows of each.

        Models read nothing of them any more, and the next training leaves them out. The future fails with StoreError
        where bytes of what was removed still stand in the file (see `palate.serve.database.overwrite`).
        """
        mark = Entry(user_id, {}, deleted=True, changed=time())

        def work(connection: Any) -> dict[str, int]:
            gone = logged.erase(connection, user_id)
            stored.put(connection, "user", [mark])
            return gone

        def then(_: dict[str, int]) -> None:
            self.state.erased(mark)
            self.watch.likes.erase(user_id)
            with self._turn:
                self._cache.clear()
            overwrite(self.engine)

        self._shown.write()  # what was shown to them and is not written yet is removed too
        return self.writer.submit(work, then)

    def beside(self, ask: Ask) -> Version | None:
        """The canary, where its list is to be interleaved with the live version's for this ask."""
        chosen = self.chosen(ask.user_id if ask.personal else None)
        whole = ask.candidates is None
        return chosen if self.config.interleave and whole and chosen is not self.live else None

    def exposed(self, request_id: str, ask: Ask, listing: Listing) -> None:
        """Log which list was shown to whom; it is not waited for."""
        if ask.user_id is None or not ask.personal:
            return
        if self.config.watch_likes:
            user_id = self.live.own(ask.user_id)
            self.watch.likes.shown(listing.version, user_id, [one.item_id for one in listing.items], monotonic())
        if not self.config.exposures:
            return
        row = {
            "request_id": request_id, "user_id": ask.user_id, "time": time(), "version": listing.version,
            "arm": listing.version, "items": [one.item_id for one in listing.items],
            "teams": [one.team for one in listing.items] if any(one.team for one in listing.items) else [],
        }  # fmt: skip
        self._shown.add(row)

    async def has_read_on(self) -> bool:
        """Whether versions read what is posted by now within a second; they go on reading afterwards."""
        reading = asyncio.wrap_future(self.read_on())
        done, _ = await asyncio.wait({reading}, timeout=READ_S)
        return bool(done) and reading.exception() is None

    def item_fields(self, item_id: str) -> dict[str, str]:
        """The columns of an item as it is now. Raises UnknownIdError."""
        return directory.item_fields(self.state, self.live.model.data.items, item_id)

    def item_ids(self, after: str | None, limit: int) -> list[str]:
        """The next ids after one, in order."""
        return directory.item_ids(self.state, self.live.model.data.items, after, limit)

    def user_record(self, user_id: str) -> tuple[dict[str, str], bool, list[Event]]:
        """All that is held of a person: what was posted, whether the live version was trained on them, events.

        Raises UnknownIdError where that is nothing.
        """
        entry = self.state.user(user_id)
        events = logged.of_user(self.engine, user_id)
        trained = user_id in self.live.model.data.users.ids and not self.forgotten(user_id)
        if not (trained or events or (entry and entry.fields)):
            raise UnknownIdError(f'user "{user_id}" is not known')
        return dict(entry.fields) if entry else {}, trained, events

    def forgotten(self, user_id: str) -> bool:
        """Whether a person was erased: what models learned of them before is not read."""
        entry = self.state.user(user_id)
        return entry is not None and entry.deleted

    @property
    def busy(self) -> bool:
        """Whether another request for a list, of the usual deadline, would be refused."""
        config = self.config
        return self.desk.waiting >= config.waiting or self.desk.wait_s > PATIENCE * config.deadline_ms / 1000

    def close(self) -> None:
        """Answer what waits, write what waits, then stop."""
        self.ready = False
        self.desk.close()
        self._reader.shutdown()
        self._shown.close()
        self.writer.close()
        self.engine.dispose()

    def _took_in(self, receipt: Receipt) -> None:
        self.state.happened(receipt.new)
        for one in receipt.new:
            if self.live.likes(one.value):
                self.watch.likes.liked(one.user_id, one.item_id, monotonic())
        self.counters.events.labels("new").inc(len(receipt.new))
        self.counters.events.labels("repeated").inc(len(receipt.repeated))
        if receipt.new:
            self.counters.last_event.set(time())

    def _room(self) -> None:
        """Raises FullError where less of the disk is left than the reserve."""
        if self.engine.dialect.name != "sqlite" or not self.config.reserve_mb:
            return
        place = Path(make_url(self.engine.url).database or ".").parent
        if shutil.disk_usage(place).free < self.config.reserve_mb * 2**20:
            raise FullError(f"less than {self.config.reserve_mb} MB are left on the disk of {place}; make room")

    def _key(self, ask: Ask, version: Version) -> Any:
        """Equal while the answer would be."""
        events = self.state.events_of(ask.user_id) if ask.user_id and ask.personal else ()
        entry = self.state.user(ask.user_id) if ask.user_id and ask.personal else None
        newest = events[-1].event_id if events else ""
        read = version.caught_up, self.state.item_changes  # a list made before a change was read does not stand for it
        return version.name, ask, len(events), newest, entry and entry.changed, read

    def _remember(self, key: Any, done: "Future[Listing]") -> None:
        if done.cancelled() or done.exception() or done.result().degraded:
            return
        with self._turn:
            self._cache[key] = replace(done.result(), timings=())

    def _warm(self, version: Version) -> None:
        """Answer each kind of ask, which loads what is loaded late, then again, which tells what to expect."""
        users = version.model.data.users.ids.ids[:WARM] or ("",)
        wish = next((title for title in version.model.data.items.title if title), "")
        asks = [*(Ask(user_id=one) for one in users), Ask(text=wish), Ask(user_id=users[0], explain=True, k=3)]
        far = monotonic() + 3600
        for _ in range(2):
            self.desk.expected(version).forget()
            for ask in asks:
                self.desk.submit(version, ask, far).result()
        version.crowd(Ask())

    def _count_answer(self, one: Waiting, outcome: Listing | Exception, ms: float) -> None:
        if not isinstance(outcome, PalateError) or isinstance(outcome, ContractError):
            well = isinstance(outcome, Listing) and FAILED not in outcome.degraded
            says_nothing = isinstance(outcome, Listing) and outcome.says_nothing
            self.watch.feed(one.version.name, monotonic(), ok=well, latency_ms=ms, degenerate=says_nothing)
        if one.version.name not in self.versions:
            return  # it warms up
        if isinstance(outcome, Listing):
            self.counters.lists.labels(outcome.version, outcome.basis).inc()
            for stage, took_ms in outcome.timings:
                self.counters.stages.labels(stage).observe(took_ms / 1000)
            for what in outcome.degraded:
                self.counters.degraded.labels(what).inc()


@contextmanager
def _readable(engine: Engine) -> Iterator[None]:
    """Raises StoreError where the database cannot be read."""
    try:
        yield
    except (DBAPIError, ValueError) as error:
        place = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"database {place}: {getattr(error, 'orig', error)}; restore it from a backup") from None


def _complain(done: "Future[None]") -> None:
    if error := done.exception():
        log.error("posted items cannot be read", exc_info=error)


def _watching(config: ServeConfig) -> WatchConfig:
    return WatchConfig(
        window_s=config.watch_s,
        likes=config.watch_likes,
        like_s=config.watch_like_s,
        probation_h=config.watch_probation_h,
        drift=config.watch_drift,
    )
