"""Profiles say what a history supports, keep what a person edited, and drop what a model made up."""

import json
from dataclasses import replace

import numpy as np
import pytest

from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.errors import ConfigError, DataError
from palate.text.made import edited
from palate.text.profile import ProfileConfig, write_profiles
from palate.text.profiles_file import Profile, read_profiles, write_profile_lines

ALL = np.arange(2)


class Writer:
    """A stand-in model that always writes the same."""

    def __init__(self, text: str) -> None:
        self.text, self.prompts = text, []
        self.identity = f"writer {text}"

    def generate(self, prompts, max_tokens):
        self.prompts += prompts
        return [self.text] * len(prompts)


@pytest.fixture
def films() -> Dataset:
    """Ann likes two science fictions, then a drama, hates one and is cool about another; Bob has done nothing."""
    items = Catalogue(
        IdMap(("a", "b", "c", "d", "e")),
        ("Alien (1979)", "Brazil (1985)", "Casablanca (1942)", "Titanic (1997)", "Elf; a tale"),
        ("",) * 5,
        ("Sci-Fi, Horror", "Sci-Fi", "Drama", "Drama, Romance", "Comedy"),
    )
    value = np.array([5, 4, 4.5, 1, 3], np.float32)
    events = Events(np.zeros(5, np.int32), np.arange(5, dtype=np.int32), np.arange(5.0), value, value >= 4)
    return Dataset(items, People(IdMap(("ann", "bob")), ("", "")), events)


ANN = "Likes: Casablanca (1942); Brazil (1985); Alien (1979)\nDislikes: Titanic (1997)\nThemes: Sci-Fi, Drama, Horror"


def test_a_profile_is_likes_dislikes_and_themes(films):
    ann, bob = write_profiles(films, ALL).profiles
    assert (ann.user_id, ann.text, ann.source) == ("ann", ANN, "history")  # 3 of 5 is no dislike, it is the middle
    assert (bob.user_id, bob.text) == ("bob", "")


def test_the_future_is_not_read(films):
    before = films.with_events(films.events.time < 2)
    assert "Casablanca" not in write_profiles(before, ALL).profiles[0].text


def test_without_a_scale_nothing_is_disliked(films):
    flat = replace(films, events=replace(films.events, value=np.ones(5, np.float32)))
    assert "Dislikes" not in write_profiles(flat, ALL).profiles[0].text


def test_claims_without_support_are_dropped_and_counted(films):
    writer = Writer("Likes: alien; Titanic (1997); Solaris\nDislikes: Titanic\nThemes: sci-fi, Romance\nShe is kind.")
    outcome = write_profiles(films, ALL, generator=writer)
    assert outcome.profiles[0].text == "Likes: Alien (1979)\nDislikes: Titanic (1997)\nThemes: Sci-Fi"
    assert (outcome.claims, outcome.dropped, outcome.generated, outcome.rendered) == (7, 4, 1, 1)
    assert len(writer.prompts) == 1  # of Bob there is nothing to write


def test_a_model_that_makes_everything_up_is_not_believed(films):
    outcome = write_profiles(films, ALL, generator=Writer("A lovely person who likes long walks."))
    assert (outcome.profiles[0].text, outcome.profiles[0].source) == (ANN, "history")
    assert (outcome.fallen_back, outcome.generated) == (1, 0)


def test_what_has_not_changed_is_not_written_again(films):
    writer = Writer("Likes: Alien")
    first = write_profiles(films, ALL, generator=writer)
    second = write_profiles(films, ALL, generator=writer, before=first.profiles)
    assert second.profiles == first.profiles
    assert (second.kept, len(writer.prompts)) == (2, 1)
    third = write_profiles(films, ALL, generator=Writer("Likes: Brazil"), before=first.profiles)
    assert third.profiles[0].text == "Likes: Brazil (1985)"


def test_edited_profiles_stay_whatever_happens_since(films, tmp_path):
    path = tmp_path / "profiles.jsonl"
    write_profile_lines(path, write_profiles(films.with_events(films.events.time < 2), ALL).profiles)
    path.write_text(path.read_text().replace("Likes: Brazil (1985); Alien (1979)", "I like slow films"))
    outcome = write_profiles(films, ALL, before=read_profiles(path))
    assert outcome.profiles[0].text.startswith("I like slow films")
    assert (outcome.profiles[0].source, outcome.edited) == ("edited", 1)
    write_profile_lines(path, outcome.profiles)
    assert write_profiles(films, ALL, before=read_profiles(path)).profiles[0].source == "edited"


def test_profiles_of_others_stay_in_the_file(films):
    other = Profile.of("zoe", "Likes: x", "history", "0")
    assert write_profiles(films, ALL[:1], before=[other]).profiles[1] == other


def test_an_unknown_attribute_is_refused(films):
    with pytest.raises(ConfigError, match='"mood" is no attribute of the items; known: tags'):
        write_profiles(films, ALL, ProfileConfig(attribute="mood"))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        pytest.param("{", r"p.jsonl:1: no JSON", id="no-json"),
        pytest.param('{"user_id": 1, "text": ""}', r"p.jsonl:1: user_id and text must be texts", id="number"),
        pytest.param('\n{"user_id": "a", "text": "", "source": "x"}', r"p.jsonl:2: source 'x' is not", id="source"),
        pytest.param('{"user_id": "a", "text": ""}\n' * 2, r'p.jsonl:2: user "a" stands twice', id="twice"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, complaint):
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(DataError, match=complaint):
        read_profiles(tmp_path / "p.jsonl")


def test_a_line_without_source_is_a_persons_own(tmp_path):
    (tmp_path / "p.jsonl").write_text(json.dumps({"user_id": "ann", "text": "安静的科幻"}))
    assert edited(read_profiles(tmp_path / "p.jsonl")[0])
