"""When the model is trained anew: in a process of its own, so that no request waits for it."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import fields, replace
from time import time

from palate.errors import ConflictError, StoreError
from palate.runtime import log
from palate.serve.attempt import GONE, Attempt, name_of
from palate.serve.registry import Registry
from palate.serve.service import Service

LOOK_S = 5.0


class Schedule:
    """Starts `palate.serve.retrain` after so many events or hours, or when told to; one at a time.

    What it leads to is in the registry: a version that the gate let pass is live as soon as the lineup looks. A process
    that was killed leaves nothing there, and training is tried again after a minute, then two, then four and so on;
    networks go on from their checkpoints if nothing was logged meanwhile. What failed with an error of its own waits
    until it is due anew. How it went is kept (`palate.serve.attempt`).
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._last = Attempt(began=time(), how="passed")  # the service's start counts for the hours as a training does
        self._running: subprocess.Popen[str] | None = None
        self._waiting: threading.Thread | None = None
        self._turn = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)

    def start(self) -> None:
        """Look every LOOK_S seconds whether it is time; first see to what a service before this one left."""
        if (last := Attempt.last(self._service.folder)) is not None:
            self._last = last
        if self._last.how == "under way":
            self._ended(replace(self._last, how="killed", signal=GONE, kills=self._last.kills + 1))
        else:
            self._sweep()
        self._thread.start()

    def due(self, now: float) -> bool:
        """Whether enough happened since training last began, or it is time to try again what was killed."""
        config, live, last = self._service.config, self._service.live.training, self._last
        if last.again is not None:
            return now >= last.again
        fresh = self._service.state.count_after(max(live.sequence, last.sequence))
        many = bool(config.retrain_events) and fresh >= config.retrain_events
        late = bool(config.retrain_hours) and now - max(live.began, last.began) >= config.retrain_hours * 3600
        return fresh > 0 and (many or late)

    def train(self) -> None:
        """Begin now. Raises ConflictError where training is under way."""
        with self._turn:
            if self._waiting is not None and self._waiting.is_alive():
                raise ConflictError("training is under way; wait until it ends")
            self._last = Attempt(time(), self._service.state.last_seq, kills=self._last.kills)
            self._last.keep(self._service.folder)
            command = [sys.executable, "-m", "palate.serve.retrain", str(self._service.folder)]
            self._running = subprocess.Popen(
                command, env=os.environ | self._settings(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            self._waiting = threading.Thread(target=self._wait, args=(self._running,), name="training", daemon=True)
            self._waiting.start()
        log.info("training anew, process %d", self._running.pid)

    def close(self) -> None:
        """Look no more, and end what is under way."""
        self._stop.set()
        if self._running is not None and self._waiting is not None:
            self._running.terminate()
            self._waiting.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self.due(time()):
                try:
                    self.train()
                except ConflictError:
                    continue

    def _wait(self, process: "subprocess.Popen[str]") -> None:
        with process:  # its input stays open until it ended: by that it knows that the service is there
            told = process.stdout.read().strip() if process.stdout else ""
            code = process.wait()
        lines = told.splitlines() or [""]
        if code == 0:
            found = json.loads(next(line for line in reversed(lines) if line.startswith("{")))
            self._ended(
                replace(self._last, how=found["verdict"], version=found["version"], why=found["reasons"],
                        sequence=found["sequence"], kills=0)
            )  # fmt: skip
        elif code > 0:
            if len(lines) > 1:
                log.info("training said: %s", told)
            self._ended(replace(self._last, how="failed", why=lines[-1].removeprefix("error: "), kills=0))
        elif self._stop.is_set():
            self._ended(replace(self._last, how="stopped"))
        else:
            self._ended(replace(self._last, how="killed", signal=name_of(code), kills=self._last.kills + 1))

    def _ended(self, last: Attempt) -> None:
        """Keep and tell how it went, and remove what it left half done."""
        self._last = replace(last, ended=time())
        self._last.keep(self._service.folder)
        (log.error if last.how in ("failed", "killed") else log.info)("%s", self._last)
        self._sweep()

    def _sweep(self) -> None:
        try:
            Registry(self._service.folder).sweep()
        except StoreError as error:
            log.error("what killed processes left is not removed: %s", error)

    def _settings(self) -> dict[str, str]:
        config = self._service.config
        return {f"PALATE_SERVE_{one.name.upper()}": str(getattr(config, one.name)) for one in fields(config)}
