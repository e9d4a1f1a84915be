from dataclasses import replace

import pytest

from palate.data.dataset import IdMap
from palate.runtime import Runtime
from palate.serve.side_by_side import side_by_side
from serve.versions import popular, shop, told, until


@pytest.fixture(scope="module")
def data():
    return shop()


def test_lists_of_the_same_people_and_what_they_share(data):
    """Of ten places, `told` gives each person the item they liked on the last day, then i9, i10, ... that they had not;
    popularity gives i9, i10, ... alone: nine are in both, or all ten where the person's own item is among them."""
    found = side_by_side(told(data, 40), popular(until(data, 9)), people=40, k=10)
    assert len(found.pairs) == 40
    for pair in found.pairs:
        own = 10 + int(pair.user_id[1:]) % 20
        assert pair.a[0] == f"i{own}"
        assert pair.b == tuple(f"i{n}" for n in range(9, 19))
        assert pair.overlap == (1.0 if own < 19 else pytest.approx(0.9))
    assert found.overlap.n == 40
    assert found.overlap.mean == pytest.approx((2 * 9 * 1.0 + 2 * 11 * 0.9) / 40)


def test_the_seed_chooses_the_people(data):
    a, b = told(data, 40), popular(until(data, 9))
    shown = [[pair.user_id for pair in side_by_side(a, b, runtime=Runtime(seed=n)).pairs] for n in (0, 0, 1)]
    assert shown[0] == shown[1] != shown[2]
    assert len(shown[0]) == 5


def test_only_people_whom_both_know_are_asked_and_items_keep_their_names(data):
    few = data.with_events(data.events.user < 3)
    people = replace(data.users, ids=IdMap(("u0", "u1", "u2")), text=("",) * 3)
    names = tuple(f"new{n}" for n in range(30))
    renamed = replace(few, users=people, items=replace(data.items, ids=IdMap(names)))
    found = side_by_side(popular(renamed), popular(until(data, 9)), people=10, k=3)
    assert {pair.user_id for pair in found.pairs} == {"u0", "u1", "u2"}
    for pair in found.pairs:
        assert pair.a == ("new8", "new7", "new6")  # had by all three, the newest first; not known as had
        assert pair.b == ("i9", "i10", "i11")
        assert pair.overlap == 0.0


def test_nobody_in_common_is_no_overlap_at_all(data):
    people = replace(data.users, ids=IdMap(tuple(f"other{n}" for n in range(40))))
    found = side_by_side(popular(replace(data, users=people)), popular(data))
    assert found.pairs == ()
    assert found.overlap.n == 0
