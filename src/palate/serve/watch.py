"""How each answer of each version went and was liked, to whether one is bad: for going back without a person."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.config import option, options
from palate.serve.aliases import Aliases
from palate.serve.likes import Likes
from palate.serve.registry import Registry

Columns = NDArray[np.float64]

_MOST = 20_000  # answers of a version that are remembered


@options
class WatchConfig:
    window_s: float = option(30.0, "A version is judged by its answers of the last so many seconds.", low=1.0)
    least_answers: int = option(10, "By so many of its last ones, where there were fewer in that time.", low=2)
    least_bad: int = option(5, "Fewer bad answers never count against a version.", low=1)
    errors: float = option(0.02, "Share of answers that may be errors.", low=0.0, high=1.0)
    degenerate: float = option(0.02, "Share of answers that may be empty or hold nan.", low=0.0, high=1.0)
    p95_ms: float = option(1000.0, "Latency that 95 % of answers must keep to, where nothing else is known.", low=0.0)
    slower: float = option(3.0, "So many times the other version's 95th percentile of latency is too slow.", low=1.0)
    quick_ms: float = option(50.0, "An answer within so many milliseconds is never too slow.", low=0.0)
    worse: float = option(2.0, "So many times the other version's share of bad answers is too many.", low=1.0)
    likes: bool = option(True, "Judge a canary and a forced version also by who likes something of a list.")
    like_s: float = option(10.0, "A list was liked if something of it is, so many seconds after it was shown.", low=0.1)
    probation_h: float = option(24.0, "Hours for which a forced version is compared with the one before.", low=0.0)
    drift: float = option(
        0.1, "Share of the likes that a forced version may lose to the hour of the day.", low=0.0, high=1.0
    )


class Record:
    """The last answers of a version, as columns: when, failed, degenerate, milliseconds."""

    def __init__(self) -> None:
        self._columns = np.zeros((4, _MOST))
        self._n = 0

    def add(self, at: float, failed: bool, degenerate: bool, latency_ms: float) -> None:
        """One more, in the place of the oldest."""
        self._columns[:, self._n % _MOST] = at, failed, degenerate, latency_ms
        self._n += 1

    def recent(self, window_s: float, now: float | None, least: int) -> Columns:
        """(4, N) those of the last `window_s` before now, or before the last one if None; at least the last `least`."""
        order = np.arange(max(0, self._n - _MOST), self._n) % _MOST
        columns = self._columns[:, order]
        since = (columns[0, -1] if now is None else now) - window_s
        return columns[:, -max(least, int((columns[0] > since).sum())) :]


class Watch:
    """What versions did lately. It has no clock: times come with the answers and the questions.

    May be fed from several threads.
    """

    def __init__(self, config: WatchConfig | None = None) -> None:
        self.config = config or WatchConfig()
        self.likes = Likes(self.config.like_s, self.config.probation_h, self.config.drift)
        self._records: dict[str, Record] = {}
        self._lock = threading.Lock()

    def feed(self, version: str, at: float, *, ok: bool, latency_ms: float, degenerate: bool = False) -> None:
        """Tell of one answer; at: seconds on any clock that does not go back."""
        with self._lock:
            if (record := self._records.get(version)) is None:  # a new one is not made for every answer
                record = self._records[version] = Record()
            record.add(at, not ok, degenerate, latency_ms)

    def forget(self, version: str) -> None:
        """Let a version begin anew, for example when it is made live again."""
        with self._lock:
            self._records.pop(version, None)

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
        mine, others = self._recent(version, now), self._recent(other, None)
        slow_ms = config.p95_ms
        if (quick := others[3][others[1] == 0]).size:
            slow_ms = max(config.quick_ms, config.slower * float(np.percentile(quick, 95)))
        kinds = {
            "failed": (config.errors, mine[1], others[1]),
            "were empty or held nan": (config.degenerate, mine[2], others[2]),
            f"took longer than {slow_ms:.0f} ms": (0.05, mine[3] > slow_ms, others[3] > slow_ms),
        }
        for what, (limit, bad, others_bad) in kinds.items():
            usual = others_bad.mean() if others_bad.size else 0.0
            if bad.sum() >= config.least_bad and bad.mean() > max(limit, config.worse * usual):
                beside = f", {usual:.1%} of those of {other}" if others_bad.size else ""
                told = f"{bad.sum():.0f} of the last {bad.size} answers of {version} {what}{beside}"
                return f"{told}; allowed are {limit:.0%}"
        return ""

    def _recent(self, version: str | None, now: float | None) -> Columns:
        """(4, N) the answers that count, none where there are fewer than it takes."""
        config = self.config
        with self._lock:
            record = self._records.get(version or "")
            found = record.recent(config.window_s, now, config.least_answers) if record else np.zeros((4, 0))
        return found if found.shape[1] >= config.least_answers else np.zeros((4, 0))


def go_back(registry: Registry, watch: Watch, now: float) -> dict[str, Any] | None:
    """End a bad canary, or make the previous version live again where the live one is bad; the entry of the audit.

    To be called about every second. None where all is well, or where the live version is bad and there is no other.
    """
    aliases = registry.aliases()
    worse = _worse(registry, aliases, watch, now) if watch.config.likes else ""
    if aliases.canary and (why := watch.bad(aliases.canary.version, aliases.live, now) or worse):
        return registry.end_canary(who="watch", why=why, expect=aliases.serial)
    if not aliases.live or not aliases.previous:
        return None
    if not (why := watch.bad(aliases.live, aliases.previous, now) or worse):
        return None
    entry = registry.rollback(who="watch", why=why, expect=aliases.serial)
    watch.forget(aliases.previous)
    return entry


def _worse(registry: Registry, aliases: Aliases, watch: Watch, now: float) -> str:
    """Why the canary, or else the live version, is liked less than the other; "" where that is not shown."""
    if watch.likes.serial != aliases.serial:
        moves = [one for one in registry.audit() if one["what"] in ("promote", "rollback")]
        forced = next((bool(one["forced"]) for one in reversed(moves) if one["to"] == aliases.live), False)
        watch.likes.follow(aliases, forced, now)
    return watch.likes.worse(now)
