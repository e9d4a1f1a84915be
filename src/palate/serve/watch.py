"""How each answer of each version went, to whether a version is bad: for going back without a person."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from palate.config import option, options
from palate.serve.registry import Registry

_MOST = 50_000  # answers of a version that are remembered


@options
class WatchConfig:
    window_s: float = option(30.0, "A version is judged by its answers of the last so many seconds.", low=1.0)
    least_answers: int = option(20, "By so many of its last ones, where there were fewer in that time.", low=2)
    least_bad: int = option(5, "Fewer bad answers never count against a version.", low=1)
    errors: float = option(0.02, "Share of answers that may be errors.", low=0.0, high=1.0)
    degenerate: float = option(0.02, "Share of answers that may be empty or hold nan.", low=0.0, high=1.0)
    p95_ms: float = option(1000.0, "Latency that 95 % of answers must keep to, where nothing else is known.", low=0.0)
    slower: float = option(3.0, "So many times the other version's 95th percentile of latency is too slow.", low=1.0)
    quick_ms: float = option(50.0, "An answer within so many milliseconds is never too slow.", low=0.0)
    worse: float = option(2.0, "So many times the other version's share of bad answers is too many.", low=1.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer of a version; degenerate: empty, or with a score that is nan."""

    at: float
    ok: bool
    latency_ms: float
    degenerate: bool


class Watch:
    """What versions did lately. It has no clock: times come with the answers and the questions.

    May be fed from several threads.
    """

    def __init__(self, config: WatchConfig | None = None) -> None:
        self.config = config or WatchConfig()
        self._seen: dict[str, deque[Seen]] = {}
        self._lock = threading.Lock()

    def feed(self, version: str, at: float, *, ok: bool, latency_ms: float, degenerate: bool = False) -> None:
        """Tell of one answer; at: seconds on any clock that does not go back."""
        with self._lock:
            self._seen.setdefault(version, deque(maxlen=_MOST)).append(Seen(at, ok, latency_ms, degenerate))

    def forget(self, version: str) -> None:
        """Let a version begin anew, for example when it is made live again."""
        with self._lock:
            self._seen.pop(version, None)

    def bad(self, version: str, other: str | None, now: float) -> str:
        """Why a version is bad, in a sentence; "" where nothing, or too little, speaks against it.

        Judged are its answers of the last `window_s`, or its last `least_answers` if these reach further back, so that
        a quiet night still counts and a single error does not. A share of errors or of degenerate answers counts where
        it is above its limit and above `worse` times that of the other version's last answers: what both suffer from,
        going back does not heal. Latency counts where more than one answer in twenty takes longer than the other's 95th
        percentile allows.

        other: the version that would answer instead, None where nothing is known.
        """
        config = self.config
        mine, others = self._recent(version, now), self._recent(other, None) if other else []
        if len(mine) < config.least_answers:
            return ""
        if len(others) < config.least_answers:
            others = []
        slow_ms = config.p95_ms
        if quick := [one.latency_ms for one in others if one.ok]:
            slow_ms = max(config.quick_ms, config.slower * float(np.percentile(quick, 95)))
        kinds: dict[str, tuple[float, Callable[[Seen], bool]]] = {
            "failed": (config.errors, lambda one: not one.ok),
            "were empty or held nan": (config.degenerate, lambda one: one.degenerate),
            f"took longer than {slow_ms:.0f} ms": (0.05, lambda one: one.latency_ms > slow_ms),
        }
        for what, (limit, is_bad) in kinds.items():
            n, n_others = sum(map(is_bad, mine)), sum(map(is_bad, others))
            usual = n_others / len(others) if others else 0.0
            if n >= config.least_bad and n / len(mine) > max(limit, config.worse * usual):
                beside = f", {usual:.1%} of those of {other}" if others else ""
                return f"{n} of the last {len(mine)} answers of {version} {what}{beside}; allowed are {limit:.0%}"
        return ""

    def _recent(self, version: str, now: float | None) -> list[Seen]:
        """The answers that count; those of a version that no longer answers end with its last one (now: None)."""
        with self._lock:
            seen = list(self._seen.get(version, ()))
        if not seen:
            return []
        since = (seen[-1].at if now is None else now) - self.config.window_s
        recent = [one for one in seen if one.at > since]
        return recent if len(recent) >= self.config.least_answers else seen[-self.config.least_answers :]


def go_back(registry: Registry, watch: Watch, now: float) -> dict[str, Any] | None:
    """End a bad canary, or make the previous version live again where the live one is bad; the entry of the audit.

    To be called about every second. None where all is well, or where the live version is bad and there is no other.
    """
    aliases = registry.aliases()
    if aliases.canary and (why := watch.bad(aliases.canary.version, aliases.live, now)):
        return registry.end_canary(who="watch", why=why, expect=aliases.serial)
    if not aliases.live or not aliases.previous or not (why := watch.bad(aliases.live, aliases.previous, now)):
        return None
    entry = registry.rollback(who="watch", why=why, expect=aliases.serial)
    watch.forget(aliases.previous)
    return entry
