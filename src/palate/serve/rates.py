"""How often each key may ask: a bucket that fills steadily and is emptied by requests."""

import threading
from time import monotonic

SPAN_S = 10.0  # a key that was quiet may ask for so many seconds' requests at once


class Rates:
    """At most `rate` requests a second for each name, over SPAN_S seconds; 0 is any number."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._turn = threading.Lock()
        self._full: dict[str, float] = {}  # when the bucket of a name is full again

    def wait_s(self, name: str, now: float | None = None) -> float:
        """0 where it may ask now, which is counted; otherwise the seconds to wait, and nothing is counted."""
        if not self._rate:
            return 0.0
        now = monotonic() if now is None else now
        with self._turn:
            full = max(self._full.get(name, now), now) + 1 / self._rate
            if full - now > SPAN_S:
                return full - now - SPAN_S
            self._full[name] = full
            return 0.0
