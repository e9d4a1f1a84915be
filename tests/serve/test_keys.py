"""Keys, on SQLite and on PostgreSQL: known by their hash alone, worthless once revoked."""

from itertools import pairwise

import pytest
from sqlalchemy import create_engine

from palate.errors import ConfigError, UnknownIdError
from palate.serve import keys
from palate.serve.database import opened
from palate.serve.keys import ROLES, Key, Keys


@pytest.fixture
def engine(address):
    engine = opened(address)
    yield engine
    engine.dispose()


def make(engine, name="ci", role="viewer"):
    with engine.begin() as connection:
        return keys.make(connection, name, role)


def test_a_key_is_known_by_its_secret_alone(engine):
    key, secret = make(engine)
    known = Keys(engine)
    assert known.of(secret) == key
    assert known.of(secret[:-1]) is None
    assert known.of(key.key_id) is None
    assert known.of("") is None
    assert known.of("\ud800 é") is None


def test_the_secret_stands_nowhere_in_the_database(tmp_path):
    engine = opened(f"sqlite:///{tmp_path / 'service.db'}")
    _, secret = make(engine)
    engine.dispose()
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_revoked_key_is_worthless_and_stays_in_the_list(engine):
    key, secret = make(engine)
    known = Keys(engine)
    assert known.of(secret)
    with engine.begin() as connection:
        keys.revoke(connection, key.key_id)
    known.forget()
    assert known.of(secret) is None
    assert [one.revoked for one in known.all()] == [True]


def test_another_processs_key_is_known_within_a_moment(engine, monkeypatch):
    known = Keys(engine)
    assert known.of("x") is None
    _, secret = make(engine)
    assert known.of(secret) is None
    monkeypatch.setattr(keys, "FRESH_S", 0.0)
    assert known.of(secret)


def test_keys_stay_while_the_database_does_not_answer(engine, monkeypatch):
    _, secret = make(engine)
    known = Keys(engine)
    key = known.of(secret)
    monkeypatch.setattr(known, "_engine", create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none"))
    known.forget()
    assert known.of(secret) == key


def test_roles_stand_one_above_the_other():
    for lower, higher in pairwise(ROLES):
        assert Key("k", "n", higher).may(lower)
        assert not Key("k", "n", lower).may(higher)
        assert Key("k", "n", lower).may(lower)


def test_what_is_not_known_is_refused(engine):
    with pytest.raises(ConfigError, match='role "boss": unknown; known: viewer'):
        make(engine, role="boss")
    with engine.begin() as connection, pytest.raises(UnknownIdError, match='key "no" is not known'):
        keys.revoke(connection, "no")
