"""A data set to what it says of people, in one form of three lines: likes, dislikes, themes.

    Likes: Alien (1979); Brazil (1985)
    Dislikes: Titanic (1997)
    Themes: Sci-Fi, Thriller

Whatever a model writes is read back by line and checked: what the person's history does not support is dropped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from palate.config import option, options
from palate.contracts import Generator
from palate.data.dataset import Dataset
from palate.errors import ConfigError
from palate.text.profiles_file import EDITED, Profile, short_hash
from palate.text.titles import supported
from palate.text.values import cell_values, columns
from palate.types import Bools, Ints, Longs

FORM = ("Likes", "Dislikes", "Themes")
_BETWEEN = ("; ", "; ", ", ")
_ASKED = """\
A person's history.
{evidence}
Describe the person in exactly these three lines, with names from the history only:
Likes: the titles that say most, with semicolons between
Dislikes: the same for what they did not like, nothing if there is none
Themes: what their likes have in common, with commas between"""


@options
class ProfileConfig:
    likes: int = option(8, "Liked titles, the newest.", low=0)
    dislikes: int = option(4, "Disliked titles, the lowest values first.", low=0)
    themes: int = option(5, "Values that most liked items share.", low=0)
    attribute: str = option("tags", "The tags or attribute of the items that themes are taken from.")
    shown: int = option(20, "Liked titles that a model which writes is shown.", low=1)
    max_tokens: int = option(160, "Tokens that a model may write.", low=8)


@dataclass(frozen=True, slots=True)
class Support:
    """What a history supports: titles liked and disliked, and themes, each best first; all of it, not only the best."""

    likes: tuple[str, ...]
    dislikes: tuple[str, ...]
    themes: tuple[str, ...]

    def text(self, likes: int, dislikes: int, themes: int) -> str:
        """In the form, cut to so many of each; "" where there is nothing."""
        return in_form((self.likes[:likes], self.dislikes[:dislikes], self.themes[:themes]))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Profiles, and what became of them.

    rendered, generated, kept, edited: how many were made from the history, written by a model, taken over as they
    were, and taken over since a person edited them.
    claims, dropped: what models claimed, and how much of it had no support.
    fallen_back: how many were rendered since nothing that a model wrote had support; counted in `rendered`.
    """

    profiles: tuple[Profile, ...]
    rendered: int = 0
    generated: int = 0
    kept: int = 0
    edited: int = 0
    claims: int = 0
    dropped: int = 0
    fallen_back: int = 0


def write_profiles(
    data: Dataset,
    users: Ints | Longs,
    config: ProfileConfig | None = None,
    *,
    generator: Generator | None = None,
    before: Sequence[Profile] = (),
) -> Outcome:
    """A profile for each user, in their order, and after them those of `before` that others have.

    Reads `data` only: give the training part where a profile must not know the future.
    before: profiles of an earlier run; edited ones stay, and so do those whose history, options and model are the same.
    """
    config = config or ProfileConfig()
    maker = generator.identity if generator else ""
    earlier = {profile.user_id: profile for profile in before}
    names = [data.users.ids.ids[user] for user in users]
    seen = dict(zip(names, evidence(data, users, config), strict=True))
    keys = {name: short_hash(repr((config, maker, one))) for name, one in seen.items()}
    own = {name: earlier[name] for name in seen if name in earlier}
    done = {name: one for name, one in own.items() if one.edited or one.evidence == keys[name]}
    fresh = {name: _rendered(name, seen[name], keys[name], config) for name in seen if name not in done}
    outcome = Outcome((), rendered=len(fresh), kept=sum(not one.edited for one in done.values()))
    if generator:
        outcome, fresh = _written(generator, fresh, seen, config, outcome)
    edited = {name: replace(one, source=EDITED) for name, one in done.items() if one.edited}
    made = {**done, **edited, **fresh}
    others = tuple(profile for name, profile in earlier.items() if name not in seen)
    return replace(outcome, profiles=(*(made[name] for name in seen), *others), edited=len(edited))


def evidence(data: Dataset, users: Ints | Longs, config: ProfileConfig) -> list[Support]:
    """Per user what the history supports; raises ConfigError where there is no such attribute.

    Liked titles are the newest first. Disliked is what was not liked with a value in the lower half of all values.
    Themes are the attribute's values by how many liked items have them, the newest first among equals.
    """
    named = columns(data.items)
    if config.attribute not in named:
        raise ConfigError(
            f'ProfileConfig.attribute: "{config.attribute}" is no attribute of the items; known: {", ".join(named)}'
        )
    cells, titles, events = named[config.attribute], data.items.title, data.events
    disliked = _disliked(data)
    found = []
    for user in users:
        own = slice(*np.searchsorted(events.user, [user, user + 1]))
        likes = list(dict.fromkeys(events.item[own][events.liked[own]][::-1].tolist()))
        bad = events.item[own][disliked[own]][np.argsort(events.value[own][disliked[own]], kind="stable")].tolist()
        themes = Counter(value for item in likes for value in dict.fromkeys(cell_values(cells[item])))
        found.append(
            Support(
                tuple(_line(titles[item]) for item in likes),
                tuple(_line(titles[item]) for item in dict.fromkeys(bad) if item not in set(likes)),
                tuple(value for value, _ in themes.most_common()),
            )
        )
    return found


def checked(text: str, seen: Support) -> tuple[str, int, int]:
    """What a model wrote, as far as the history supports it, in the form; how many claims it made, and how many were
    dropped. A claim counts once; lines other than the three of the form are claims without support.

    >>> seen = Support(("Alien (1979)",), (), ("Sci-Fi",))
    >>> checked("Likes: Alien; Titanic (1997)\\nThemes: sci-fi, romance", seen)
    ('Likes: Alien (1979)\\nThemes: Sci-Fi', 4, 2)
    """
    kept: list[list[str]] = [[], [], []]
    claims = dropped = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        head, colon, rest = line.partition(":")
        if not colon or head.strip(" *-#").capitalize() not in FORM:
            claims, dropped = claims + 1, dropped + 1
            continue
        part = FORM.index(head.strip(" *-#").capitalize())
        known = (seen.likes, seen.dislikes, seen.themes)[part]
        for claim in dict.fromkeys(_claims(rest, part)):
            title = supported(claim, known)
            claims, dropped = claims + 1, dropped + (title is None)
            if title is not None and title not in kept[part]:
                kept[part].append(title)
    return in_form(kept), claims, dropped


def in_form(parts: Sequence[Sequence[str]]) -> str:
    """Likes, dislikes and themes as lines; a line without anything is left out."""
    rows = zip(FORM, _BETWEEN, parts, strict=True)
    return "\n".join(f"{name}: {between.join(values)}" for name, between, values in rows if values)


def _written(
    generator: Generator,
    fresh: Mapping[str, Profile],
    seen: Mapping[str, Support],
    config: ProfileConfig,
    outcome: Outcome,
) -> tuple[Outcome, dict[str, Profile]]:
    """Rendered profiles replaced by what a model wrote of the same history, where anything of it has support."""
    told = {name: text for name in fresh if (text := seen[name].text(config.shown, config.dislikes, config.themes))}
    answers = generator.generate([_ASKED.format(evidence=text) for text in told.values()], config.max_tokens)
    made = dict(fresh)
    for name, answer in zip(told, answers, strict=True):
        text, claims, dropped = checked(answer, seen[name])
        outcome = replace(outcome, claims=outcome.claims + claims, dropped=outcome.dropped + dropped)
        if text:
            made[name] = Profile.of(name, text, "generated", fresh[name].evidence)
            outcome = replace(outcome, generated=outcome.generated + 1, rendered=outcome.rendered - 1)
        else:
            outcome = replace(outcome, fallen_back=outcome.fallen_back + 1)
    return outcome, made


def _rendered(name: str, seen: Support, key: str, config: ProfileConfig) -> Profile:
    return Profile.of(name, seen.text(config.likes, config.dislikes, config.themes), "history", key)


def _claims(rest: str, part: int) -> list[str]:
    between = ";" if FORM[part] != "Themes" else ","
    parts = [one.strip(" .\"'") for one in rest.replace(";", between).split(between)]
    return [one for one in parts if one and one.casefold() not in ("none", "nothing", "n/a")]


def _disliked(data: Dataset) -> Bools:
    """(E,) events that were not liked, with a value in the lower half of the scale; nothing where there is no scale."""
    value = data.events.value
    if not len(value) or value.min() == value.max():
        return np.zeros(len(value), np.bool_)
    marks: Bools = ~data.events.liked & (value < (value.min() + value.max()) / 2)
    return marks


def _line(title: str) -> str:
    """A title without what would end it in the form."""
    return " ".join(title.replace(";", ",").split())
