"""The tables of the service's database, the same on SQLite and on PostgreSQL; migrations make them."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up integers alone

# What people did, in the order of the server: `seq` is that order, `time` is the client's clock. `digest` tells whether
# an event sent again is the same one.
events = Table(
    "events",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("event_id", String(128), nullable=False, unique=True),
    Column("user_id", String(256), nullable=False),
    Column("item_id", String(256), nullable=False),
    Column("time", Float, nullable=False),
    Column("value", Float),
    Column("kind", String(64), nullable=False, default=""),
    Column("text", Text, nullable=False, default=""),
    Column("digest", String(32), nullable=False),
    Index("events_of_user", "user_id", "seq"),
)

# Items and people as they are now, where that differs from what the models were trained on. A row that is deleted stays
# as a mark, so that no model shows or reads it until one is trained without it.


def _entries(what: str) -> Table:
    return Table(
        f"{what}s",
        metadata,
        Column(f"{what}_id", String(256), primary_key=True),
        Column("fields", JSON, nullable=False),
        Column("deleted", Boolean, nullable=False),
        Column("changed", Float, nullable=False),
    )


items, users = _entries("item"), _entries("user")

# Which lists were shown by which version and arm, for comparisons.
exposures = Table(
    "exposures",
    metadata,
    Column("seq", _Number, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False),
    Column("user_id", String(256), nullable=False),
    Column("time", Float, nullable=False),
    Column("version", String(64), nullable=False),
    Column("arm", String(64), nullable=False),
    Column("items", JSON, nullable=False),
    Column("teams", JSON, nullable=False),
)

# Who may do what; a key itself is never kept, only its hash.
keys = Table(
    "keys",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("made", Float, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
