"""A saved model and options to a process that listens until it is told to stop."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from palate.serve import keys, process
from palate.serve.app import application
from palate.serve.edge import requests_log
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from palate.serve.schedule import Schedule
from palate.serve.service import Service
from palate.serve.settings import settings

GRACE_S = 10  # for requests that are being answered when the process is told to stop


def run(model: Path, folder: Path, file: Path | None, given: Mapping[str, Any]) -> None:
    """Serve the model in `model` with the state in `folder`, until SIGTERM or SIGINT. Raises what `settings`,
    `opened` and `Lineup.start` raise."""
    config = settings(file, given)
    with _lines_on_stderr():
        process.keep_memory()
        process.take_turns()
        service = Service(config, folder)
        first_key(service)
        lineup = Lineup(service, Registry(folder))
        lineup.start(model)
        schedule = Schedule(service)
        schedule.start()
        app = application(service, lineup, schedule)
        process.settle()
        service.read_on().add_done_callback(lambda _: process.settle())  # what reads items is loaded by then
        uvicorn.run(
            app,
            host=config.host,
            port=config.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )


def first_key(service: Service) -> None:
    """Where there is no key yet, make one for the role admin and write it where only its owner reads."""
    if service.keys.all():
        return
    _, secret = service.writer.submit(lambda connection: keys.make(connection, "first", "admin")).result()
    place = service.folder / "admin.key"
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret + "\n")
    service.keys.forget()
    print(f"A key for the role admin is in {place}", file=sys.stderr)


class _Lines(logging.Formatter):
    """A record as one JSON line; what is told of requests is one already."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == requests_log.name:
            return record.getMessage()
        told = {"level": record.levelname.lower(), "from": record.threadName, "message": record.getMessage()}
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


@contextmanager
def _lines_on_stderr() -> Iterator[None]:
    """Everything that Palate and uvicorn have to say, a line each, while this lasts."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    loggers = [
        (logging.getLogger(name), level) for name, level in (("palate", logging.INFO), ("uvicorn", logging.WARNING))
    ]
    before = [(one.level, one.propagate) for one, _ in loggers]
    for one, level in loggers:
        one.addHandler(handler)
        one.setLevel(level)
        one.propagate = False
    try:
        yield
    finally:
        for (one, _), (level, propagate) in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.setLevel(level)
            one.propagate = propagate
