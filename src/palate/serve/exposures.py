"""Lists that were shown, one by one, to rows of the database, several at a time."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import insert

from palate.errors import OverloadError
from palate.serve.tables import exposures
from palate.serve.writer import Writer

GATHER_S = 0.2  # nobody waits for these rows, and a commit costs as much for one as for many
MOST = 5000  # rows that wait; more are dropped


class ExposureLog:
    """Gathers rows for a moment and hands them to the writer; what is dropped is told.

    A row is written at the latest when `write` is called, before whatever is handed to the writer after it.
    """

    def __init__(self, writer: Writer, dropped: Callable[[int], None]) -> None:
        self._writer, self._dropped = writer, dropped
        self._rows: list[Mapping[str, Any]] = []
        self._turn = threading.Lock()
        self._came, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="shown", daemon=True)
        self._thread.start()

    def add(self, row: Mapping[str, Any]) -> None:
        """One more, which is not waited for."""
        with self._turn:
            room = len(self._rows) < MOST
            if room:
                self._rows.append(row)
        if not room:
            self._dropped(1)
        self._came.set()

    def write(self) -> None:
        """Hand over what was gathered."""
        with self._turn:  # until it is handed over, so that nothing overtakes it
            rows, self._rows = self._rows, []
            try:
                if rows:
                    self._writer.submit(lambda connection: connection.execute(insert(exposures), rows) and None)
            except OverloadError:  # events go first
                self._dropped(len(rows))

    def close(self) -> None:
        """Hand over what is left, then stop."""
        self._stop.set()
        self._came.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._came.wait()
            self._stop.wait(GATHER_S)
            self._came.clear()
            self.write()
