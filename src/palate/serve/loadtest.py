"""A running service and a rate to what became of every request: an open loop, so a slow answer delays no other request.

A request is sent when it is due, whether or not earlier ones are answered, and its time counts from then: what a person
would have waited. A loop that waits for answers slows down with the service and leaves out the slow times (coordinated
omission).
"""

import asyncio
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import numpy as np

from palate.config import option, options
from palate.errors import ConfigError, ServiceError

ROUTES = {
    "recommend": "/v1/recommend",
    "search": "/v1/search",
    "similar": "/v1/similar",
    "event": "/v1/events",
    "events": "/v1/events/batch",
}
PER_BATCH = 50  # events in a call of "events"
LEAD_S = 0.3  # before the first request is due
PAGE = 200  # items read from the service
KEPT_S = 3.0  # uvicorn closes a connection that was idle for five
HISTORY = 5  # items that a stranger liked, where no users are named


@options
class LoadConfig:
    rate: float = option(200.0, "Requests a second.", low=0.01, high=100_000.0)
    seconds: float = option(30.0, "How long requests are sent.", low=0.1, high=86_400.0)
    arrivals: str = option(
        "poisson", "When requests are due: at random like people's, or at equal distances.", choices=("poisson", "even")
    )
    deadline_ms: float = option(500.0, "An answer after that long is none.", low=1.0)
    tell: bool = option(False, "Send the deadline along, so that stages are left out for it.")
    outstanding: int = option(256, "Requests that may be unanswered at a time; more are not sent and failed.", low=1)
    k: int = option(10, "Items in a list.", low=1, high=1000)
    seed: int = option(0, "The one seed of arrivals and requests.", low=0)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be sent: seconds from the start when it is due, a kind-word of ROUTES, the body."""

    due: float
    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Shot:
    """What became of a call, in seconds from the start.

    status: HTTP's; 0 where there was no answer, which `failed` names: "unsent" (too many were outstanding), "timeout"
    or the error. degraded: what the answer says that it left out.
    """

    kind: str
    due: float
    sent: float
    done: float
    status: int
    degraded: tuple[str, ...] = ()
    failed: str = ""

    @property
    def ms(self) -> float:
        """From when it was due."""
        return (self.done - self.due) * 1000


def load_test(url: str, key: str, calls: Sequence[Call], config: LoadConfig, *, anywhere: bool = False) -> list[Shot]:
    """Send the calls and return what became of each, in their order.

    Raises ConfigError for an address outside this machine unless `anywhere`.
    """
    address(url, anywhere=anywhere)
    return asyncio.run(_all(url, key, calls, config))


def address(url: str, *, anywhere: bool) -> None:
    """Raises ConfigError for what is no address, and for one outside this machine unless `anywhere`."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f'url: "{url}" is no address; write for example http://127.0.0.1:8080')
    if not anywhere and not _loopback(parts.hostname):
        raise ConfigError(
            f'url: "{parts.hostname}" is not this machine; a load test of another one disturbs whoever uses it; '
            "--anywhere if it is yours"
        )


def make_calls(
    config: LoadConfig, mix: Mapping[str, float], users: Sequence[str], items: Mapping[str, str]
) -> list[Call]:
    """Calls for the whole time, by seed.

    mix: kind-words to how often each is sent, relative to the others. users: ids, drawn alike; without any, recommend
    asks for strangers with histories. items: ids to titles. Raises ConfigError for a kind that is unknown, and without
    items.
    """
    for kind, share in mix.items():
        if kind not in ROUTES or share < 0:
            raise ConfigError(f'mix: "{kind}={share:g}"; known: {", ".join(ROUTES)}, each with a number from 0')
    if not items or sum(mix.values()) <= 0:
        raise ConfigError("mix: there is nothing to ask for" if items else "the service has no items to ask about")
    rng = np.random.default_rng(config.seed)
    due = arrivals(config, rng)
    kinds = rng.choice(list(mix), len(due), p=np.array(list(mix.values())) / sum(mix.values()))
    asked = _Asked(rng, users, list(items), items, config, uuid4().hex[:8])
    return [
        Call(float(when), str(kind), json.dumps(asked.body(str(kind))).encode())
        for when, kind in zip(due, kinds, strict=True)
    ]


def arrivals(config: LoadConfig, rng: np.random.Generator) -> Any:
    """(N,) seconds at which requests are due, rising."""
    if config.arrivals == "even":
        return np.arange(round(config.rate * config.seconds)) / config.rate
    several = config.rate * config.seconds
    gaps = rng.exponential(1 / config.rate, int(several + 10 * several**0.5 + 10))
    due = np.cumsum(gaps)
    return due[due < config.seconds]


def read_items(url: str, key: str) -> dict[str, str]:
    """Ids and titles of the first page of the service's items. Raises ServiceError where it does not answer so."""

    async def get() -> dict[str, str]:
        async with (
            aiohttp.ClientSession(url, headers=_headers(key)) as session,
            session.get("/v1/items", params={"limit": str(PAGE)}) as answer,
        ):
            if answer.status != 200:
                raise ServiceError(f"{url}/v1/items: status {answer.status}: {(await answer.text())[:200]}")
            found = await answer.json()
        return {one["item_id"]: one["title"] for one in found["items"]}

    try:
        return asyncio.run(get())
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ServiceError(f"{url}: no answer ({error}); is `palate serve` running there?") from None


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """Bodies of requests, drawn by seed; ids of events are this run's own, so that a second run logs new ones."""

    rng: np.random.Generator
    users: Sequence[str]
    ids: Sequence[str]
    titles: Mapping[str, str]
    config: LoadConfig
    run: str

    def body(self, kind: str) -> dict[str, Any]:
        if kind == "recommend":
            whom = {"user_id": self._one(self.users)} if self.users else {"history": self._several(HISTORY)}
            in_time = {"deadline_ms": round(self.config.deadline_ms)} if self.config.tell else {}
            return {**whom, **in_time, "k": self.config.k}
        if kind == "search":
            item = self._one(self.ids)
            return {"text": self.titles[item] or item, "k": self.config.k}
        if kind == "similar":
            return {"item_id": self._one(self.ids), "k": self.config.k}
        return self._event() if kind == "event" else {"events": [self._event() for _ in range(PER_BATCH)]}

    def _event(self) -> dict[str, Any]:
        user = self._one(self.users) if self.users else f"load-{int(self.rng.integers(1000))}"
        return {
            "event_id": f"load-{self.run}-{self.rng.integers(2**62):x}",
            "user_id": user,
            "item_id": self._one(self.ids),
        }

    def _one(self, among: Sequence[str]) -> str:
        return among[int(self.rng.integers(len(among)))]

    def _several(self, n: int) -> list[str]:
        return list(dict.fromkeys(self._one(self.ids) for _ in range(n)))


async def _all(url: str, key: str, calls: Sequence[Call], config: LoadConfig) -> list[Shot]:
    # many connections, kept for less than the service keeps them; an answer long after its deadline is not waited for
    give_up = aiohttp.ClientTimeout(total=max(2.0, 4 * config.deadline_ms / 1000))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S)
    async with aiohttp.ClientSession(url, headers=_headers(key), connector=connector, timeout=give_up) as session:
        start, tasks = perf_counter() + LEAD_S, list[asyncio.Task[Shot] | Shot]()
        waiting = 0

        def answered(_: asyncio.Task[Shot]) -> None:
            nonlocal waiting
            waiting -= 1

        for call in calls:
            await asyncio.sleep(max(0.0, start + call.due - perf_counter()))
            if waiting >= config.outstanding:
                now = perf_counter() - start
                tasks.append(Shot(call.kind, call.due, now, now, 0, failed="unsent"))
                continue
            waiting += 1
            task = asyncio.create_task(_sent(session, call, start))
            task.add_done_callback(answered)
            tasks.append(task)
        return [one if isinstance(one, Shot) else await one for one in tasks]


async def _sent(session: aiohttp.ClientSession, call: Call, start: float) -> Shot:
    sent = perf_counter() - start
    try:
        async with session.post(ROUTES[call.kind], data=call.body) as answer:
            body, status = await answer.read(), answer.status
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        failed = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
        return Shot(call.kind, call.due, sent, perf_counter() - start, 0, failed=failed)
    done = perf_counter() - start
    degraded = tuple(json.loads(body).get("degraded", ())) if status == 200 else ()
    return Shot(call.kind, call.due, sent, done, status, degraded)


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
