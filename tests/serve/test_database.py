"""Addresses to databases: migrations on empty, filled and damaged ones; what is deleted leaves no bytes."""

import pytest
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from palate.errors import ConfigError, StoreError
from palate.serve import events as log
from palate.serve.database import MIGRATIONS, opened, overwrite
from palate.serve.events import Event
from palate.serve.tables import metadata


def test_an_empty_database_gets_the_tables_that_the_code_reads(address):
    engine = opened(address)
    found = inspect(engine)
    for table in metadata.sorted_tables:
        columns = {one["name"]: one for one in found.get_columns(table.name)}
        assert set(columns) == set(table.columns.keys())
        assert {name for name, one in columns.items() if one["nullable"]} == {
            one.name for one in table.columns if one.nullable
        }
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [one.name for one in table.primary_key]
    engine.dispose()


def test_opening_again_keeps_what_is_there(address):
    for number in range(3):
        engine = opened(address)
        with engine.begin() as connection:
            log.append(connection, [Event(f"e{number}", "u1", "i1", 1.0)])
        assert len(list(log.since(engine, 0))) == number + 1
        engine.dispose()


def test_a_database_is_at_the_newest_migration(address):
    engine = opened(address)
    with engine.connect() as connection:
        newest = max(path.name[1:5] for path in (MIGRATIONS / "versions").glob("m*.py"))
        assert MigrationContext.configure(connection).get_current_revision() == newest
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(address):
    engine = opened(address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="newer version"):
        opened(address)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        pytest.param("nonsense", "is no address", id="no-address"),
        pytest.param("postgresql://h:port/x", "is no address", id="port"),
        pytest.param("mysql://host/shop", '"mysql" is not supported', id="another-kind"),
    ],
)
def test_an_address_that_names_no_database_is_refused(address, complaint):
    with pytest.raises(ConfigError, match=complaint):
        opened(address)


def test_a_server_that_does_not_answer_is_told_without_the_password():
    with pytest.raises(StoreError, match="check address") as error:
        opened("postgresql+psycopg://palate:secret@127.0.0.1:1/shop")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="unable to open"):
        opened(f"sqlite:///{tmp_path / 'nowhere' / 'service.db'}")


def damaged(how: str, whole: bytes) -> bytes:
    return {
        "random": bytes((one * 37 + 11) % 256 for one in range(len(whole))),
        "header": b"\0" * 100 + whole[100:],
        "half": whole[: len(whole) // 2],
        "inside": whole[:200] + b"\xff" * (len(whole) - 200),
    }[how]


@pytest.mark.parametrize("how", ["random", "header", "half", "inside"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, how):
    path = tmp_path / "service.db"
    opened(f"sqlite:///{path}").dispose()
    path.write_bytes(damaged(how, path.read_bytes()))
    with pytest.raises(StoreError, match=r"service\.db") as error:
        opened(f"sqlite:///{path}")
    assert "\n" not in str(error.value)


def test_an_empty_file_is_a_new_database(tmp_path):
    (tmp_path / "service.db").write_bytes(b"")
    engine = opened(f"sqlite:///{tmp_path / 'service.db'}")
    assert log.last_seq(engine) == 0
    engine.dispose()


def bytes_of(folder) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("service.db*"))


def test_no_byte_of_what_was_deleted_stays_in_the_files(tmp_path):
    engine = opened(f"sqlite:///{tmp_path / 'service.db'}")
    with engine.begin() as connection:
        log.append(connection, [Event(f"secret-{n}", "u1", "i1", 1.0, text="a secret wish " * 300) for n in range(20)])
        log.append(connection, [Event("kept", "u2", "i1", 1.0)])
    assert b"secret" in bytes_of(tmp_path)
    with engine.begin() as connection:
        log.erase(connection, "u1")
    assert b"secret" in bytes_of(tmp_path)  # the write-ahead log has it still
    overwrite(engine)
    assert b"secret" not in bytes_of(tmp_path)
    assert [one.event_id for one in log.since(engine, 0)] == ["kept"]
    engine.dispose()


def test_bytes_that_another_process_still_reads_are_told_of(tmp_path):
    address = f"sqlite:///{tmp_path / 'service.db'}"
    engine = opened(address)
    other = create_engine(address)
    with engine.begin() as connection:
        log.append(connection, [Event("secret", "u1", "i1", 1.0)])
    with other.connect() as reading:
        reading.exec_driver_sql("BEGIN")
        reading.execute(text("SELECT count(*) FROM events")).all()
        with engine.begin() as connection:
            log.erase(connection, "u1")
        with pytest.raises(StoreError, match="another process reads; send it again"):
            overwrite(engine)
    overwrite(engine)
    assert b"secret" not in bytes_of(tmp_path)
    other.dispose()
    engine.dispose()


def test_an_sqlite_that_is_too_old_is_refused_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"is too old; bring 3\.35"):
        opened(f"sqlite:///{tmp_path / 'log.db'}")
