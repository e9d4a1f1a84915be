"""A database address to an engine with the service's tables: SQLite with a write-ahead log, or PostgreSQL."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from palate.errors import ConfigError, StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
FILE = "service.db"  # in a state folder, where no other address is given
OLDEST = (3, 35)  # SQLite that tells what it has inserted
BUSY_S = 5.0  # how long a writer of another process is waited for
READING_S = 0.5  # how long a reader of another process is waited for before bytes are overwritten


def opened(address: str) -> Engine:
    """The database at an address such as "sqlite:////srv/shop/events.db" or "postgresql+psycopg://user@host/name",
    brought to the newest form.

    Raises ConfigError for an address that names none, StoreError for a database that does not answer, is damaged or
    was made by a newer version.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise ConfigError(
            f'database: "{address}" is no address; write sqlite:///FILE or postgresql+psycopg://HOST/NAME'
        ) from None
    if url.get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < OLDEST:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; bring 3.35 or newer, or use PostgreSQL")
        engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False}, poolclass=QueuePool)
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _begin)
    elif url.get_backend_name() == "postgresql":
        engine = create_engine(url, pool_pre_ping=True)
    else:
        raise ConfigError(f'database: "{url.get_backend_name()}" is not supported; use SQLite or PostgreSQL')
    place = url.render_as_string(hide_password=True)
    try:
        _migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        raise StoreError(f"database {place}: {_said(error)}; check address, rights and disk, or restore it") from None
    except CommandError as error:
        engine.dispose()
        raise StoreError(f"database {place}: {error}; it was made by a newer version of palate") from None
    return engine


def of_state(folder: Path, address: str = "") -> Engine:
    """The database of a service by its state folder, or at an address. Raises StoreError where there is none yet."""
    if not address and not (folder / FILE).is_file():
        raise StoreError(f"{folder}: no {FILE} here; name the state folder of a service that was started once")
    return opened(address or f"sqlite:///{folder / FILE}")


def copied(folder: Path, out: Path) -> None:
    """Write the SQLite database of a state folder as it is at this moment, whole and checked, to a new file.

    Raises StoreError where there is none, where `out` is there already or cannot be written.
    """
    if out.exists():
        raise StoreError(f"{out}: is there already; name another file")
    engine = of_state(folder)
    half = out.with_name(f".{out.name}.half")
    try:
        half.unlink(missing_ok=True)
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM INTO ?", (str(half),)).close()
        half.chmod(0o600)
        half.rename(out)
    except (sqlite3.Error, OSError) as error:
        half.unlink(missing_ok=True)
        raise StoreError(f"{out}: {error}; nothing was written") from None
    finally:
        engine.dispose()


def overwrite(engine: Engine) -> None:
    """Leave no bytes of what was deleted: SQLite's pages are overwritten, its write-ahead log is emptied.

    PostgreSQL does so in its own time (VACUUM). Raises StoreError where another process reads the file for so long that
    it cannot be done now.
    """
    if engine.dialect.name != "sqlite":
        return
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(READING_S * 1000)}")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
        cursor.close()
    finally:
        raw.close()
    if busy:
        raise StoreError("it is deleted, but its bytes are not overwritten while another process reads; send it again")


def _said(error: DBAPIError) -> str:
    """What the database said, on one line."""
    return " ".join(str(error.orig).split())


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
