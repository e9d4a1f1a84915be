from dataclasses import replace
from time import monotonic, time

import pytest
from typer.testing import CliRunner

from palate.cli.ab import app
from palate.errors import StoreError
from palate.serve.aliases import Aliases, Canary
from palate.serve.asks import Ask, Listing, Shown
from palate.serve.events import Event
from palate.serve.exposed import tables
from palate.serve.interleave import interleaved
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from serve.shop import model

SOON = 60.0


def listing(version, *names):
    items = tuple(Shown(name, name.upper(), 9.0 - place) for place, name in enumerate(names))
    return Listing(version, items, "history")


def test_two_lists_become_one_that_says_who_placed_what():
    found = interleaved(listing("v1", "a", "b", "c"), listing("v2", "a", "c", "d"), Ask(k=3), "r1")
    assert found.version == "v1+v2"
    assert found.items[0].item_id == "a"
    assert len({one.item_id for one in found.items}) == 3
    assert {one.team for one in found.items} == {"v1", "v2"}
    assert [one.score for one in found.items] == [3.0, 2.0, 1.0]
    assert found == interleaved(listing("v1", "a", "b", "c"), listing("v2", "a", "c", "d"), Ask(k=3), "r1")


def test_what_one_list_lacks_the_other_fills_for_nobody():
    found = interleaved(listing("v1", "a"), listing("v2", "b", "c", "d"), Ask(k=4), "r1")
    assert [one.team for one in found.items[2:]] == ["", ""]


@pytest.fixture
def service(tmp_path):
    made = Service(ServeConfig(interleave=True), tmp_path)
    for name, recipe in (("v1", "popular"), ("v2", "ease")):
        made.open_version(name, model(recipe))
    made.follow(Aliases(live="v1", canary=Canary("v2", 0.5)))
    yield made
    made.close()


def test_only_whom_the_canary_answers_gets_both(service):
    people = [f"p{row}" for row in range(40)]
    beside = [service.beside(Ask(user_id=one)) for one in people]
    assert [one is not None for one in beside] == [service.chosen(one).name == "v2" for one in people]
    assert service.beside(Ask(text="rocket")) is None
    assert all(service.beside(Ask(user_id=one, personal=False)) is None for one in people)
    assert all(service.beside(Ask(user_id=one, candidates=("i1",))) is None for one in people)


def test_what_was_shown_and_done_comes_back_as_a_report(service):
    ask = Ask(k=4)
    for row in range(60):
        own = replace(ask, user_id=f"u{row % 30}")
        versions = (service.live, service.versions["v2"])
        both = [service.recommend(own, monotonic() + SOON, one).result(SOON) for one in versions]
        service.exposed(f"r{row}", own, interleaved(*both, own, f"r{row}"))
    liked = [Event(f"e{row}", f"u{row}", f"i{row % 3 * 12 + row % 12}", time()) for row in range(30)]
    service.tell(liked).result(SOON)
    service.close()  # what was shown is written a moment later
    shown, done = tables(service.folder)
    assert len(shown) == 60
    assert set(shown["teams"].explode().unique()) <= {"v1", "v2", ""}
    assert done["event_id"].to_list() == [one.event_id for one in liked]
    told = CliRunner().invoke(app, ["report", str(service.folder)])
    assert told.exit_code == 0, told.output
    assert "v1" in told.output


def test_a_folder_without_a_service_is_told(tmp_path):
    with pytest.raises(StoreError, match=r"no service\.db"):
        tables(tmp_path / "nowhere")
