from dataclasses import replace

import numpy as np

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.data.grow import Happening, grown, liked_from


def shop(value=(5, 1, 4), liked=(True, False, True), clock="time"):
    items = Catalogue(IdMap(("a", "b", "c")), ("A", "B", "C"), ("",) * 3, ("",) * 3, {"shelf": ("1", "2", "3")})
    people = People(IdMap(("u", "v")), ("likes A", ""))
    return Dataset(
        items,
        people,
        Events(
            user=np.array([0, 0, 1], np.int32),
            item=np.array([0, 1, 2], np.int32),
            time=np.array([1.0, 3.0, 2.0]),
            value=np.array(value, np.float32),
            liked=np.array(liked),
            clock=clock,
        ),
    )


def told(data):
    """Every event in outside ids."""
    return [
        (data.users.ids.ids[user], data.items.ids.ids[item], float(time), float(value), bool(liked))
        for user, item, time, value, liked in zip(
            data.events.user, data.events.item, data.events.time, data.events.value, data.events.liked, strict=True
        )
    ]


def test_new_events_stand_where_their_time_puts_them():
    found = grown(shop(), [Happening("u", "c", 2.0, 5.0), Happening("v", "a", 9.0, 2.0)], {}, {})
    assert told(found) == [
        ("u", "a", 1.0, 5.0, True),
        ("u", "c", 2.0, 5.0, True),
        ("u", "b", 3.0, 1.0, False),
        ("v", "c", 2.0, 4.0, True),
        ("v", "a", 9.0, 2.0, False),
    ]


def test_an_event_without_a_value_is_liked_with_the_least_value_that_was():
    assert told(grown(shop(), [Happening("v", "a", 9.0)], {}, {}))[-1] == ("v", "a", 9.0, 4.0, True)
    assert liked_from(shop().events) == 4.0
    assert liked_from(shop(liked=(True, True, True)).events) is None


def test_new_people_and_items_stand_behind_those_who_were_there():
    found = grown(
        shop(), [Happening("z", "d", 5.0), Happening("x", "a", 5.0)], {"d": {"title": "D", "colour": "red"}}, {}
    )
    assert found.items.ids.ids == ("a", "b", "c", "d")
    assert found.users.ids.ids == ("u", "v", "x", "z")
    assert found.items.attributes == {"shelf": ("1", "2", "3", ""), "colour": ("", "", "", "red")}
    assert told(found)[-1][:2] == ("z", "d")


def test_an_item_that_is_gone_takes_its_events_along():
    found = grown(shop(), [Happening("v", "b", 7.0)], {"b": None}, {})
    assert found.items.ids.ids == ("a", "c")
    assert [one[:2] for one in told(found)] == [("u", "a"), ("v", "c")]


def test_a_changed_item_says_only_what_it_says_now():
    found = grown(shop(), [], {"b": {"title": "Better B"}}, {})
    assert found.items.title == ("A", "Better B", "C")
    assert found.items.attributes["shelf"] == ("1", "", "3")


def test_of_the_forgotten_nothing_stays_but_what_came_later():
    found = grown(shop(), [Happening("u", "c", 9.0)], {}, {}, forgotten={"u"})
    assert found.users.ids.ids == ("v", "u")
    assert found.users.text == ("", "")
    assert [one[:3] for one in told(found)] == [("v", "c", 2.0), ("u", "c", 9.0)]
    gone = grown(shop(), [], {}, {}, forgotten={"u"})
    assert gone.users.ids.ids == ("v",)


def test_people_say_what_they_say_now():
    found = grown(shop(), [], {}, {"v": {"text": "likes C", "town": "Bern"}})
    assert found.users.text == ("likes A", "likes C")
    assert found.users.attributes == {"town": ("", "Bern")}


def test_a_log_without_times_stays_without():
    data = shop(clock="none")
    data = replace(data, events=replace(data.events, time=np.zeros(3)))
    found = grown(data, [Happening("v", "a", 9.0)], {}, {})
    assert found.events.clock == "none"
    assert told(found)[-1][:3] == ("v", "a", 0.0)
