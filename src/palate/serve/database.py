"""A database address to an engine with the service's tables: SQLite with a write-ahead log, or PostgreSQL."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from palate.errors import ConfigError, StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 5.0  # how long a writer of another process is waited for


def opened(address: str) -> Engine:
    """The database at an address such as "sqlite:////srv/shop/events.db" or "postgresql+psycopg://user@host/name",
    brought to the newest form.

    Raises ConfigError for an address that names none, StoreError for one that does not answer.
    """
    try:
        url = make_url(address)
    except ArgumentError:
        raise ConfigError(
            f'database: "{address}" is no address; write sqlite:///FILE or postgresql+psycopg://HOST/NAME'
        ) from None
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False}, poolclass=QueuePool)
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _begin)
    elif url.get_backend_name() == "postgresql":
        engine = create_engine(url, pool_pre_ping=True)
    else:
        raise ConfigError(f'database: "{url.get_backend_name()}" is not supported; use SQLite or PostgreSQL')
    try:
        _migrate(engine)
    except OperationalError as error:
        place = url.render_as_string(hide_password=True)
        raise StoreError(f"database {place}: {error.orig}; check the address, rights and disk space") from None
    return engine


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _durable(connection: Any, _: Any) -> None:
    """What SQLite must be told on every connection: a transaction is ours to begin, a commit is on disk, and what is
    deleted is overwritten."""
    connection.isolation_level = None
    for rule in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {rule}").close()


def _begin(connection: Connection) -> None:
    """One who will write takes the lock at once, so that it never has to give up half way."""
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
