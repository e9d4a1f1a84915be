from dataclasses import replace

import numpy as np
import pytest

from palate.errors import ConfigError, UnknownIdError
from palate.serve.asks import Ask
from palate.serve.entries import Entry
from palate.serve.events import Event
from palate.serve.state import State
from palate.serve.trained import Training
from palate.serve.version import Version
from serve.shop import model


@pytest.fixture
def state():
    return State()


def version(state, made=None):
    return Version("v1", made or model(), state)


def answer(one, ask):
    return one.answer([ask], one.recommender)[0]


def ids(listing):
    return [shown.item_id for shown in listing.items]


def shelf(item_id):
    return int(item_id[1:]) // 12


def post(state, one, item_id, **fields):
    state.changed_items([Entry(item_id, fields, changed=5.0)])
    one.catch_up()


def test_a_list_is_what_the_model_gives(state):
    frame = model().recommend(["u0"], k=5, explain=True)
    listing = answer(version(state), Ask(user_id="u0", k=5, explain=True))
    assert ids(listing) == frame["item_id"].to_list()
    assert [one.score for one in listing.items] == frame["score"].to_list()
    assert [list(one.reasons) for one in listing.items] == frame["reasons"].to_list()
    assert listing.basis == "history"


def test_many_asks_are_answered_as_each_alone(state):
    one = version(state)
    post(state, one, "new", title="rocket moon stars")
    asks = [Ask(user_id="u0"), Ask(user_id="nobody", k=3), Ask(text="butter soup"), Ask(history=("i30", "new"))]
    together = one.answer(asks, one.recommender)
    for ask, listing in zip(asks, together, strict=True):
        alone = answer(one, ask)
        assert ids(alone) == ids(listing)
        assert [a.score for a in alone.items] == pytest.approx([b.score for b in listing.items], abs=1e-5)


def test_an_event_changes_the_next_list(state):
    one = version(state)
    before = ids(answer(one, Ask(user_id="u0")))
    state.happened([Event("e1", "u0", before[0], 9e3, seq=1)])
    assert before[0] not in ids(answer(one, Ask(user_id="u0")))
    assert before[0] in ids(answer(one, Ask(user_id="u0", include_seen=True, k=36)))


def test_a_stranger_is_known_from_the_first_event_on(state):
    one = version(state)
    assert answer(one, Ask(user_id="new")).basis == "popularity"
    state.happened([Event(f"e{row}", "new", f"i{row}", 9e3 + row, seq=row) for row in (12, 13)])
    listing = answer(one, Ask(user_id="new", k=5))
    assert listing.basis == "history"
    assert {shelf(name) for name in ids(listing)} == {1}


def test_an_id_is_remembered_as_the_model_holds_it(state):
    one, came = version(state), "".join(["u", "0"])
    assert one.own(came) is one.model.data.users.ids.ids[0]
    assert one.own("new") == "new"


def test_events_that_the_model_was_trained_on_do_not_count_twice(state):
    trained = Training(sequence=5, began=100.0, until=8e3).marked(model())
    one = version(state, trained)
    state.happened([Event("old", "new", "i12", 7e3, seq=5), Event("held-out", "new", "i25", 9e3, seq=4)])
    seen = set(ids(answer(one, Ask(user_id="new", k=36))))
    assert "i12" in seen
    assert "i25" not in seen


def test_a_low_rating_hides_an_item_and_says_nothing_else(state):
    rated = replace(model(), data=rating(model().data))
    one = version(state, rated)
    state.happened([Event("e1", "new", "i12", 9e3, value=1.0, seq=1)])
    listing = answer(one, Ask(user_id="new", k=36))
    assert listing.basis == "popularity"
    assert "i12" not in ids(listing)


def rating(data):
    """The same events, the first of which was not liked."""
    liked = np.ones(len(data.events), np.bool_)
    liked[0] = False
    value = np.where(liked, 5.0, 1.0).astype(np.float32)
    return replace(data, events=replace(data.events, liked=liked, value=value))


def test_a_posted_item_is_found_by_its_words(state):
    one = version(state)
    post(state, one, "new", title="soup rocket hedge")
    listing = answer(one, Ask(text="soup rocket hedge", k=3))
    assert ids(listing)[0] == "new"
    assert listing.items[0].new
    assert listing.items[0].title == "soup rocket hedge"
    scores = [shown.score for shown in listing.items]
    assert scores == sorted(scores, reverse=True)


def test_a_posted_item_has_the_tenth_place_of_whom_it_suits(state):
    one = version(state)
    post(state, one, "rockets", title="rocket moon stars orbit")
    assert ids(answer(one, Ask(user_id="u0", k=10))).index("rockets") == 9
    assert "rockets" not in ids(answer(one, Ask(user_id="u0", k=9)))
    assert len(set(ids(answer(one, Ask(user_id="u0", k=30))))) == 30 + 1 - 1


def test_what_is_like_a_posted_item_is_told_by_its_text(state):
    one = version(state)
    post(state, one, "loaf", title="bread oven butter")
    listing = answer(one, Ask(history=("loaf",), k=5))
    assert listing.basis == "text"
    assert {shelf(name) for name in ids(listing)} == {1}


def test_a_rewritten_item_is_found_by_its_new_words_alone(state):
    one = version(state)
    assert "i0" in ids(answer(one, Ask(text="stars rocket", k=11)))
    post(state, one, "i0", title="bread oven")
    assert "i0" not in ids(answer(one, Ask(text="stars rocket", k=11)))
    assert "i0" in ids(answer(one, Ask(text="bread oven", k=11)))
    everybody = ids(answer(one, Ask(user_id="u1", k=36)))
    assert everybody.count("i0") == 1


def test_a_deleted_item_is_in_no_list(state):
    one = version(state)
    post(state, one, "new", title="rocket moon stars orbit")
    state.changed_items([Entry("new", deleted=True, changed=6.0), Entry("i1", deleted=True, changed=6.0)])
    one.catch_up()
    for ask in (Ask(user_id="u0", k=36), Ask(text="rocket moon", k=36), Ask(k=36)):
        assert not {"new", "i1"} & set(ids(answer(one, ask)))
    with pytest.raises(UnknownIdError, match='item "new" is not known'):
        answer(one, Ask(history=("new",)))
    post(state, one, "new", title="rocket moon stars orbit")
    assert "new" in ids(answer(one, Ask(text="rocket moon stars orbit", k=5)))


def test_only_what_is_allowed_is_shown(state):
    one = version(state)
    post(state, one, "new", title="rocket moon", shelf="garden")
    found = ids(answer(one, Ask(text="rocket moon", k=36, where=(("shelf", ("garden",)),))))
    assert found[0] == "new"
    assert {shelf(name) for name in found[1:]} == {2}
    assert set(ids(answer(one, Ask(k=36, allow=("i1", "new", "i2"), deny=("i2",))))) == {"i1"}
    with pytest.raises(ConfigError, match=r"where\.colour"):
        answer(one, Ask(where=(("colour", ("red",)),)))


def test_what_is_posted_while_a_list_is_made_is_in_the_next_one(state):
    one = version(state)
    post(state, one, "first", title="rocket moon")
    retriever = one.recommender.retriever

    class Meanwhile:
        reads = retriever.reads

        def retrieve(self, *asked):
            post(state, one, f"new{len(one.annex)}", title="rocket moon")
            return retriever.retrieve(*asked)

    busy = replace(one.recommender, retriever=Meanwhile())
    listing = one.answer([Ask(text="rocket moon", k=36)], busy)[0]
    assert "first" in ids(listing)
    assert "new1" not in ids(listing)
    assert "new1" in ids(answer(one, Ask(text="rocket moon", k=5)))


def test_a_rewritten_item_is_permitted_by_what_it_says_now(state):
    one = version(state)
    post(state, one, "i0", title="stars rocket", shelf="garden")
    asked = Ask(text="stars rocket", k=36, where=(("shelf", ("garden",)),))
    assert "i0" in ids(answer(one, asked))
    assert "i0" not in ids(answer(one, replace(asked, where=(("shelf", ("space",)),))))


def test_candidates_come_back_all_of_them(state):
    one = version(state)
    post(state, one, "new", title="rocket moon stars")
    for ask in (Ask(user_id="u0"), Ask(user_id="nobody"), Ask(text="rocket")):
        found = answer(one, replace(ask, candidates=("i30", "new", "i1"), k=3))
        assert sorted(ids(found)) == ["i1", "i30", "new"]
    assert sorted(ids(one.crowd(Ask(candidates=("i30", "new"))))) == ["i30", "new"]


def test_the_list_for_everybody_leaves_out_what_this_person_had(state):
    one = version(state)
    listing = one.crowd(Ask(user_id="u0", k=36))
    had = set(model().data.items.ids.names(model().data.histories()[0]))
    assert not had & set(ids(listing))
    assert listing.degraded == ("personal_deadline",)


class Sealed(State):
    """A state that tells nothing of anybody."""

    def events_of(self, user_id):
        raise AssertionError("a person's events were read")

    def user(self, user_id):
        raise AssertionError("what is known of a person was read")


def test_whoever_asks_not_to_be_known_is_read_nothing_of():
    one = version(Sealed())
    mine = answer(one, Ask(user_id="u0", personal=False))
    assert ids(mine) == ids(answer(one, Ask(user_id="u20", personal=False)))
    assert mine.basis == "popularity"
    with pytest.raises(AssertionError):
        answer(one, Ask(user_id="u0"))


def test_an_erased_person_is_a_stranger(state):
    one = version(state)
    state.happened([Event("e1", "u0", "i12", 9e3, seq=1)])
    state.erased(Entry("u0", deleted=True, changed=6.0))
    listing = answer(one, Ask(user_id="u0"))
    assert listing.basis == "popularity"
    assert ids(listing) == ids(answer(one, Ask()))


def test_own_words_speak_until_there_is_a_history(state):
    one = version(state)
    state.changed_users([Entry("new", {"text": "roses and a spade"}, changed=5.0)])
    assert {shelf(name) for name in ids(answer(one, Ask(user_id="new", k=4)))} == {2}
    state.happened([Event(f"e{row}", "new", f"i{row}", 9e3 + row, seq=row) for row in (12, 13)])
    assert answer(one, Ask(user_id="new")).basis == "history"
