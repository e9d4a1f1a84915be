"""When the model is trained anew: in a process of its own, so that no request waits for it."""

import os
import subprocess
import sys
import threading
from dataclasses import fields
from time import time

from palate.errors import ConflictError
from palate.runtime import log
from palate.serve.service import Service

LOOK_S = 5.0


class Schedule:
    """Starts `palate.serve.retrain` after so many events or hours, or when told to; one at a time.

    What it leads to is in the registry: a version that the gate let pass is live as soon as the lineup looks. A process
    that was killed leaves nothing there, and is started again when it is due; networks go on from their checkpoints if
    nothing was logged meanwhile.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tried = 0  # the newest event when training last began here, whatever came of it
        self._began = time()
        self._running: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Look every LOOK_S seconds whether it is time."""
        self._thread.start()

    def due(self, now: float) -> bool:
        """Whether enough happened since training last began."""
        config, live = self._service.config, self._service.live.training
        fresh = self._service.state.count_after(max(live.sequence, self._tried))
        many = bool(config.retrain_events) and fresh >= config.retrain_events
        late = bool(config.retrain_hours) and now - max(live.began, self._began) >= config.retrain_hours * 3600
        return fresh > 0 and (many or late)

    def train(self) -> None:
        """Begin now. Raises ConflictError where training is under way."""
        with self._turn:
            if self._running is not None and self._running.poll() is None:
                raise ConflictError("training is under way; wait until it ends")
            self._tried, self._began = self._service.state.last_seq, time()
            command = [sys.executable, "-m", "palate.serve.retrain", str(self._service.folder)]
            self._running = subprocess.Popen(
                command, env=os.environ | self._settings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        threading.Thread(target=self._wait, args=(self._running,), name="training", daemon=True).start()
        log.info("training anew, process %d", self._running.pid)

    def close(self) -> None:
        """Look no more, and end what is under way."""
        self._stop.set()
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()
            self._running.wait()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self.due(time()):
                try:
                    self.train()
                except ConflictError:
                    continue

    def _wait(self, process: "subprocess.Popen[str]") -> None:
        told, _ = process.communicate()
        log.info("training ended with %d: %s", process.returncode, told.strip())

    def _settings(self) -> dict[str, str]:
        config = self._service.config
        return {f"PALATE_SERVE_{one.name.upper()}": str(getattr(config, one.name)) for one in fields(config)}
