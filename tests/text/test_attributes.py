"""Attributes say what an item's own texts and reviews support, keep what a person edited, and can become tags."""

from dataclasses import replace

import numpy as np
import pytest

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.errors import ConfigError, DataError
from palate.text.attributes import AttributesConfig, with_attributes, write_attributes
from palate.text.attributes_file import Attributes, read_attributes, write_attribute_lines
from palate.text.made import edited

ALL = np.arange(6)
CONFIG = AttributesConfig(least=2, share=0.5)


class Writer:
    """A stand-in model that always writes the same."""

    def __init__(self, text: str) -> None:
        self.text, self.prompts = text, []
        self.identity = f"writer {text}"

    def generate(self, prompts, max_tokens):
        self.prompts += prompts
        return [self.text] * len(prompts)


@pytest.fixture
def tools() -> Dataset:
    """Two drills, two saws, two nameless things; ten reviews of the first drill, half of them liked."""
    items = Catalogue(
        IdMap(("a", "b", "c", "d", "e", "f")),
        ("Cordless drill 500", "Cordless drill, small", "Hand saw", "Pruning saw", "Gadget", "x9"),
        ("", "With battery", "", "For trees", "", ""),
        ("Power, Battery", "Power", "Garden", "", "", ""),
    )
    value = np.tile(np.array([5, 1], np.float32), 10)
    text = ("the drill is quick", "the drill is noisy") * 10
    users, rows = np.arange(20, dtype=np.int32), np.zeros(20, np.int32)
    events = Events(users, rows, np.arange(20.0), value, value >= 4, text=text)
    return Dataset(items, People(IdMap(tuple(f"u{n}" for n in users)), ("",) * 20), events)


def test_tags_are_an_items_own_and_then_what_tells_it_apart(tools):
    bare = tools.with_events(np.zeros(20, np.bool_))
    first, second, *_, last = write_attributes(bare, ALL, CONFIG).profiles
    assert (first.item_id, first.source) == ("a", "texts")
    assert first.tags == (
        "Power",
        "Battery",
        "cordless drill",
    )  # which stands before its equals, "cordless" and "drill"
    assert second.tags == ("Power", "cordless drill")  # nobody else says "small" or "battery" in a text
    assert last.tags == ()


def test_what_few_items_or_most_of_them_say_tells_nothing(tools):
    bare = tools.with_events(np.zeros(20, np.bool_))
    assert write_attributes(bare, ALL, replace(CONFIG, least=3)).profiles[3].tags == ()
    assert write_attributes(bare, ALL, replace(CONFIG, share=0.3)).profiles[3].tags == ()  # 2 of 6 say "saw"
    assert write_attributes(bare, ALL, CONFIG).profiles[3].tags == ("saw",)


def test_aspects_are_what_liked_and_disliked_reviews_do_not_share(tools):
    first, second, *_ = write_attributes(tools, ALL, CONFIG).profiles
    assert first.aspects == ("noisy", "quick")
    assert second.aspects == ()


def test_the_future_is_not_read(tools):
    before = tools.with_events(tools.events.time < 0)
    assert not any(one.aspects for one in write_attributes(before, ALL, CONFIG).profiles)


def test_without_a_scale_there_are_no_aspects(tools):
    flat = replace(tools, events=replace(tools.events, value=np.ones(20, np.float32), liked=np.ones(20, np.bool_)))
    assert write_attributes(flat, ALL, CONFIG).profiles[0].aspects == ()


def test_claims_without_support_are_dropped_and_counted(tools):
    writer = Writer("Tags: POWER; cordless drill; garden\nAspects: noisy; cordless\nVery good.")
    outcome = write_attributes(tools, ALL[:1], CONFIG, generator=writer)
    assert outcome.profiles[0].text == "Tags: Power; cordless drill\nAspects: noisy"  # no review says "cordless"
    assert (outcome.claims, outcome.dropped, outcome.generated, outcome.rendered) == (6, 3, 1, 0)
    assert "Cordless drill 500" in writer.prompts[0]
    assert "noisy" in writer.prompts[0]


def test_a_copied_sentence_is_no_claim(tools):
    long = replace(tools, items=replace(tools.items, description=("so very handy " * 9,) * 6))
    outcome = write_attributes(long, ALL[:1], CONFIG, generator=Writer("Tags: " + "so very handy " * 4))
    assert (outcome.claims, outcome.dropped, outcome.fallen_back) == (1, 1, 1)


def test_a_model_that_makes_everything_up_is_not_believed(tools):
    outcome = write_attributes(tools, ALL, CONFIG, generator=Writer("Tags: best seller"))
    assert outcome.profiles == write_attributes(tools, ALL, CONFIG, generator=Writer("Tags: best seller")).profiles
    assert {one.source for one in outcome.profiles} == {"texts"}
    assert (outcome.fallen_back, outcome.generated) == (6, 0)


def test_what_has_not_changed_is_not_written_again(tools):
    writer = Writer("Tags: saw; drill")
    first = write_attributes(tools, ALL, CONFIG, generator=writer)
    second = write_attributes(tools, ALL, CONFIG, generator=writer, before=first.profiles)
    assert second.profiles == first.profiles
    assert (second.kept, len(writer.prompts)) == (6, 6)
    renamed = replace(tools, items=replace(tools.items, title=(*tools.items.title[:5], "x10")))
    assert write_attributes(renamed, ALL, CONFIG, generator=writer, before=first.profiles).kept == 5


def test_edited_lines_stay_whatever_happens_since(tools, tmp_path):
    path = tmp_path / "attributes.jsonl"
    write_attribute_lines(path, write_attributes(tools, ALL, CONFIG).profiles)
    path.write_text(path.read_text().replace('["quick"', '["fast"').replace('"noisy"', '"loud"'))
    outcome = write_attributes(tools.with_events(tools.events.time < 5), ALL, CONFIG, before=read_attributes(path))
    assert outcome.profiles[0].aspects == ("loud", "quick")
    assert (outcome.profiles[0].source, outcome.edited) == ("edited", 1)


def test_attributes_become_tags_behind_an_items_own(tools):
    told = with_attributes(tools, [Attributes("a", ("power", "drill"), ("noisy",), "edited", "")])
    assert told.items.tags[:2] == ("Power, Battery, drill, noisy", "Power")
    assert told.notes == ("attributes: tags and aspects of 1 of 6 items are read as tags",)


def test_attributes_of_another_catalogue_are_refused(tools):
    with pytest.raises(DataError, match="none of 1 lines is of an item here"):
        with_attributes(tools, [Attributes("zz", ("power",), (), "edited", "")])


def test_an_unknown_attribute_is_refused(tools):
    with pytest.raises(ConfigError, match='"mood" is no attribute of the items; known: tags'):
        write_attributes(tools, ALL, AttributesConfig(attribute="mood"))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        pytest.param("{", r"p.jsonl:1: no JSON", id="no-json"),
        pytest.param('{"item_id": 1}', r"p.jsonl:1: item_id must be a text", id="number"),
        pytest.param('{"item_id": "a", "tags": "x"}', r"p.jsonl:1: .*lists of texts", id="no-list"),
        pytest.param('\n{"item_id": "a", "source": "history"}', r"p.jsonl:2: source 'history' is not", id="source"),
        pytest.param('{"item_id": "a"}\n' * 2, r'p.jsonl:2: item "a" stands twice', id="twice"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, complaint):
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(DataError, match=complaint):
        read_attributes(tmp_path / "p.jsonl")


def test_a_line_without_source_is_a_persons_own(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"item_id": "a", "tags": ["安静"]}')
    (own,) = read_attributes(tmp_path / "p.jsonl")
    assert edited(own)
    assert own.tags == ("安静",)
