"""How many requests came in each of the last minutes, and how many of them failed."""

import threading
from collections import deque
from time import monotonic

MINUTES = 60


class Pulse:
    """Counts by minute of the monotonic clock; what is older than MINUTES is forgotten."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._minutes: deque[list[int]] = deque(maxlen=MINUTES)  # minute, requests, failures

    def count(self, *, failed: bool, now: float | None = None) -> None:
        """One request more."""
        minute = _minute(now)
        with self._turn:
            if not self._minutes or self._minutes[-1][0] != minute:
                self._minutes.append([minute, 0, 0])
            self._minutes[-1][1] += 1
            self._minutes[-1][2] += failed

    def minutes(self, now: float | None = None) -> list[tuple[int, int]]:
        """(MINUTES) requests and failures, the oldest minute first, the running one last."""
        last = _minute(now)
        with self._turn:
            known = {minute: (asked, failed) for minute, asked, failed in self._minutes}
        return [known.get(minute, (0, 0)) for minute in range(last - MINUTES + 1, last + 1)]


def _minute(now: float | None) -> int:
    return int((monotonic() if now is None else now) // 60)
