"""A data set to what it says of people, in one form of three lines: likes, dislikes, themes.

    Likes: Alien (1979); Brazil (1985)
    Dislikes: Titanic (1997)
    Themes: Sci-Fi, Thriller

Whatever a model writes is read back by line and checked: what the person's history does not support is dropped.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palate.config import option, options
from palate.contracts import Generator
from palate.data.dataset import Dataset
from palate.data.liked import disliked
from palate.text.made import Outcome, Parts, in_form, said_alone, write
from palate.text.profiles_file import HISTORY, Profile
from palate.text.titles import supported
from palate.text.values import cell_values, column
from palate.types import Ints, Longs

_FORM = ("Likes", "Dislikes", "Themes")
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

    def cut(self, likes: int, dislikes: int, themes: int) -> Parts:
        """Only so many of each."""
        return self.likes[:likes], self.dislikes[:dislikes], self.themes[:themes]


def write_profiles(
    data: Dataset,
    users: Ints | Longs,
    config: ProfileConfig | None = None,
    *,
    generator: Generator | None = None,
    before: Sequence[Profile] = (),
) -> Outcome[Profile]:
    """A profile for each user, in their order, and after them those of `before` that others have.

    Reads `data` only: give the training part where a profile must not know the future.
    before: profiles of an earlier run; edited ones stay, and so do those whose history, options and model are the same.
    """
    config = config or ProfileConfig()
    names = [data.users.ids.ids[user] for user in users]
    seen = dict(zip(names, evidence(data, users, config), strict=True))
    return write(Person(config), seen, {profile.user_id: profile for profile in before}, generator)


def evidence(data: Dataset, users: Ints | Longs, config: ProfileConfig) -> list[Support]:
    """Per user what the history supports; raises ConfigError where there is no such attribute.

    Liked titles are the newest first. Disliked is what was not liked with a value in the lower half of all values.
    Themes are the attribute's values by how many liked items have them, the newest first among equals.
    """
    cells = column(data.items, config.attribute, "ProfileConfig.attribute")
    titles, events = data.items.title, data.events
    bad_ones = disliked(data.events)
    found = []
    for user in users:
        own = slice(*np.searchsorted(events.user, [user, user + 1]))
        likes = list(dict.fromkeys(events.item[own][events.liked[own]][::-1].tolist()))
        bad = events.item[own][bad_ones[own]][np.argsort(events.value[own][bad_ones[own]], kind="stable")].tolist()
        themes = Counter(value for item in likes for value in dict.fromkeys(cell_values(cells[item])))
        found.append(
            Support(
                tuple(_line(titles[item]) for item in likes),
                tuple(_line(titles[item]) for item in dict.fromkeys(bad) if item not in set(likes)),
                tuple(value for value, _ in themes.most_common()),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """The form of a person's profile.

    >>> from palate.text.made import checked
    >>> seen = Support(("Alien (1979)",), (), ("Sci-Fi",))
    >>> checked(Person(), "Likes: Alien; Titanic (1997)\\nThemes: sci-fi, romance", seen)
    ((('Alien (1979)',), (), ('Sci-Fi',)), 4, 2)
    """

    config: ProfileConfig = ProfileConfig()
    heads: ClassVar[tuple[str, ...]] = _FORM

    @property
    def options(self) -> str:
        return repr(self.config)

    @property
    def max_tokens(self) -> int:
        return self.config.max_tokens

    def rendered(self, seen: Support) -> Parts:
        return seen.cut(self.config.likes, self.config.dislikes, self.config.themes)

    def asked(self, seen: Support) -> str:
        shown = in_form(_FORM, _BETWEEN, seen.cut(self.config.shown, self.config.dislikes, self.config.themes))
        return _ASKED.format(evidence=shown) if shown else ""

    def claims(self, text: str, part: int) -> list[str]:
        between = _BETWEEN[part].strip()
        return list(filter(None, map(said_alone, text.replace(";", between).split(between))))

    def supported(self, claim: str, part: int, seen: Support) -> str | None:
        return supported(claim, (seen.likes, seen.dislikes, seen.themes)[part])

    def line(self, name: str, parts: Parts, source: str | None, evidence: str) -> Profile:
        return Profile.of(name, in_form(_FORM, _BETWEEN, parts), source or HISTORY, evidence)


def _line(title: str) -> str:
    """A title without what would end it in the form."""
    return " ".join(title.replace(";", ",").split())
