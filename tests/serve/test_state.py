"""The state in memory: late, repeated and reordered events lead to the same one as a clean replay."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from palate.serve import events as log
from palate.serve.database import opened
from palate.serve.entries import Entry
from palate.serve.events import Event
from palate.serve.state import State
from palate.serve.tables import events as table

EVENTS = [Event(f"e{n}", f"u{n % 3}", f"i{n % 7}", 1000.0 + n // 2, value=float(n % 2)) for n in range(24)]


@pytest.fixture
def engine(address):
    engine = opened(address)
    yield engine
    engine.dispose()


def picture(state):
    """What lists are made of: each person's events, without their places in the order."""
    return {user: [replace(one, seq=0) for one in state.events_of(user)] for user in ("u0", "u1", "u2")}


def told(engine, batches):
    """The state after these batches, and the state that a restart makes of the log."""
    state = State()
    with engine.begin() as connection:
        connection.execute(delete(table))
    for batch in batches:
        with engine.begin() as connection:
            receipt = log.append(connection, batch)
        state.happened(receipt.new)
    again = State()
    again.again(list(log.since(engine, 0)), log.last_seq(engine))
    return state, again


@st.composite
def deliveries(draw):
    """Some events in any order, each at least once, cut into batches, whole batches sent again anywhere."""
    n = draw(st.integers(1, len(EVENTS)))
    order = draw(st.permutations(EVENTS[:n]))
    cuts = sorted(draw(st.sets(st.integers(1, n), max_size=4)) | {n})
    batches = [order[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    again = draw(st.lists(st.sampled_from(batches), max_size=3))
    return EVENTS[:n], draw(st.permutations(batches + again))


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(deliveries())
def test_any_delivery_leads_to_the_state_of_a_clean_replay(engine, delivery):
    clean, batches = delivery
    expected = State()
    expected.happened(clean)
    for state in told(engine, batches):
        assert picture(state) == picture(expected)


def test_events_of_one_moment_stand_by_their_ids():
    state = State()
    state.happened([Event("b", "u", "i1", 5.0, seq=1), Event("a", "u", "i2", 5.0, seq=2)])
    state.happened([Event("c", "u", "i3", 4.0, seq=3)])
    assert [one.event_id for one in state.events_of("u")] == ["c", "a", "b"]
    assert state.last_seq == 3


def test_a_person_who_is_erased_leaves_a_mark_alone():
    state = State()
    state.happened([Event("a", "u", "i", 5.0, seq=1), Event("b", "v", "i", 5.0, seq=2)])
    mark = Entry("u", deleted=True, changed=9.0)
    state.erased(mark)
    assert state.events_of("u") == ()
    assert state.user("u") == mark
    assert len(state.events_of("v")) == 1


def test_what_is_posted_of_someone_erased_leaves_their_new_events():
    state = State()
    state.erased(Entry("u", deleted=True))
    state.happened([Event("a", "u", "i", 5.0, seq=1)])
    state.changed_users([Entry("u", deleted=True)])
    assert len(state.events_of("u")) == 1


def test_readers_keep_the_items_they_were_given():
    state = State()
    state.changed_items([Entry("a")])
    before, count = state.items, state.item_changes
    state.changed_items([Entry("b")])
    assert set(before) == {"a"}
    assert set(state.items) == {"a", "b"}
    assert state.item_changes > count


def test_events_after_a_place_are_counted_though_places_have_gaps():
    state = State()
    assert state.count_after(0) == state.last_seq == 0
    state.happened([Event(name, "u", "i", 5.0, seq=seq) for name, seq in (("a", 1), ("b", 7), ("c", 9))])
    assert [state.count_after(place) for place in (0, 1, 5, 9)] == [3, 2, 2, 0]


def test_what_every_model_has_read_is_forgotten_and_comes_back_with_the_log():
    state = State()
    events = [Event("b", "u", "i1", 6.0, seq=1), Event("a", "u", "i2", 5.0, seq=2), Event("c", "v", "i3", 4.0, seq=3)]
    state.happened(events)
    state.forget(lambda one: one.seq != 2)
    assert [one.event_id for one in state.events_of("u")] == ["a"]
    assert state.events_of("v") == ()
    assert (state.last_seq, state.count_after(1)) == (3, 2)
    state.again(events[1:], 3)
    assert [one.event_id for one in state.events_of("u")] == ["a"]
    assert [one.event_id for one in state.events_of("v")] == ["c"]
    assert (state.last_seq, state.count_after(1), state.count_after(2)) == (3, 2, 1)


def test_events_share_their_ids_in_memory():
    state = State()
    state.happened([Event("e1", "".join(["u", "7"]), "".join(["i", "9"]), 1.0)])
    state.happened([Event("e2", "".join(["u", "7"]), "".join(["i", "9"]), 2.0)])
    first, second = state.events_of("u7")
    assert first.user_id is second.user_id
    assert first.item_id is second.item_id
