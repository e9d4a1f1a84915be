"""Items and people as they are now, on SQLite and on PostgreSQL."""

import pytest

from palate.serve import entries
from palate.serve.database import opened
from palate.serve.entries import Entry


@pytest.fixture
def engine(address):
    engine = opened(address)
    yield engine
    engine.dispose()


def put(engine, what, *given):
    with engine.begin() as connection:
        return entries.put(connection, what, list(given))


@pytest.mark.parametrize("what", ["item", "user"])
def test_the_last_of_what_was_written_stands(engine, what):
    first = Entry("b", {"title": "très 好"}, changed=1.0)
    put(engine, what, first, Entry("a", {"text": "x"}, changed=1.0))
    put(engine, what, Entry("a", {}, deleted=True, changed=2.0))
    put(engine, what, Entry("c", {"n": "1"}), Entry("c", {"n": "2"}))
    assert list(entries.all_of(engine, what)) == [
        Entry("a", {}, deleted=True, changed=2.0),
        first,
        Entry("c", {"n": "2"}),
    ]


def test_items_and_people_of_one_name_are_apart(engine):
    put(engine, "item", Entry("a", {"title": "x"}))
    assert list(entries.all_of(engine, "user")) == []
