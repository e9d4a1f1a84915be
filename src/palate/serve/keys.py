"""API keys: who may do what. A key is shown once, when it is made; the database holds its hash."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, time

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError

from palate.errors import ConfigError, UnknownIdError
from palate.runtime import log
from palate.serve.tables import keys

ROLES = ("viewer", "recommender", "reviewer", "operator", "admin")  # each may do what those before it may
FRESH_S = 1.0  # how long a key that another process made or revoked may stay unknown


@dataclass(frozen=True, slots=True)
class Key:
    """Who someone is: not the key itself."""

    key_id: str
    name: str
    role: str
    made: float = 0.0
    revoked: bool = False

    def may(self, role: str) -> bool:
        """Whether this key has at least that role."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Keys:
    """The keys of a database, remembered for FRESH_S seconds, and while the database does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._read = -FRESH_S
        self._known: Mapping[str, Key] = {}

    def of(self, secret: str) -> Key | None:
        """Whose key this is; None where it is nobody's, or revoked."""
        digest = _hash(secret)
        found = None
        for known, key in self._fresh().items():  # all are compared, each in the same time
            if hmac.compare_digest(known, digest):
                found = key
        return None if found is None or found.revoked else found

    def all(self) -> list[Key]:
        """Every key, revoked ones too, the oldest first."""
        self.forget()
        return sorted(self._fresh().values(), key=lambda one: one.made)

    def forget(self) -> None:
        """Read the database anew next time."""
        self._read = -FRESH_S

    def _fresh(self) -> Mapping[str, Key]:
        with self._turn:
            if monotonic() - self._read > FRESH_S:
                try:
                    with self._engine.connect() as connection:
                        rows = connection.execute(select(keys)).all()
                except DBAPIError as error:
                    log.error("keys stay as they were: %s", error.orig)
                else:
                    self._known = {row.hash: Key(row.key_id, row.name, row.role, row.made, row.revoked) for row in rows}
                self._read = monotonic()
            return self._known


def make(connection: Connection, name: str, role: str) -> tuple[Key, str]:
    """A new key, and what its holder must send: it is told nowhere else. Raises ConfigError for an unknown role."""
    if role not in ROLES:
        raise ConfigError(f'role "{role}": unknown; known: {", ".join(ROLES)}')
    secret = f"palate_{secrets.token_urlsafe(24)}"
    digest = _hash(secret)
    key = Key(digest[:12], name, role, time())
    values = {"key_id": key.key_id, "name": name, "role": role, "hash": digest, "made": key.made, "revoked": False}
    connection.execute(insert(keys).values(values))
    return key, secret


def revoke(connection: Connection, key_id: str) -> None:
    """Make a key worthless. Raises UnknownIdError."""
    if not connection.execute(update(keys).where(keys.c.key_id == key_id).values(revoked=True)).rowcount:
        raise UnknownIdError(f'key "{key_id}" is not known; `palate keys list` names them')


def _hash(secret: str) -> str:
    """A key is random and long, so that a plain hash of it tells nothing."""
    return hashlib.sha256(secret.encode("utf8", "surrogatepass")).hexdigest()
