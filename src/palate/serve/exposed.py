"""The lists that were shown, and what people did, from a service's database to the tables that A/B reports read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from palate.data.frames import native
from palate.errors import StoreError
from palate.serve import events as logged
from palate.serve.database import opened
from palate.serve.tables import exposures

EVENT_COLUMNS = ("event_id", "user_id", "item_id", "time", "value", "kind")


def tables(state: Path, database: str = "") -> tuple[Any, Any]:
    """Exposures and events (polars) of the service whose state is in a folder. Raises StoreError where it is not."""
    file = state / "service.db"
    if not database and not file.is_file():
        raise StoreError(f"{state}: no service.db; name the folder of `palate serve --state`, or give --database")
    engine = opened(database or f"sqlite:///{file}")
    try:
        return native(_shown(engine), "polars"), native(_done(engine), "polars")
    finally:
        engine.dispose()


def _shown(engine: Engine) -> Mapping[str, list[Any]]:
    names = ("request_id", "user_id", "time", "arm", "items", "teams")
    with engine.connect() as connection:
        rows = connection.execute(select(*(exposures.c[name] for name in names)).order_by(exposures.c.seq)).all()
    table: dict[str, list[Any]] = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    if not any(any(one) for one in table["teams"]):
        del table["teams"]  # no list was of two versions
    return table


def _done(engine: Engine) -> Mapping[str, list[Any]]:
    rows = list(logged.since(engine, 0))
    return {name: [getattr(one, name) for one in rows] for name in EVENT_COLUMNS}
