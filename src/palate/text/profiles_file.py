"""Profiles as a JSON Lines file that a person may edit: user_id, text, source and a hash that tells whether one did."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from palate.errors import DataError
from palate.text.made import seal
from palate.text.made_file import origin, read_lines, row_of, write_lines

HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a person.

    source: "history", "generated" or "edited".
    hash: what it was made from, a dash, and its text as it was made; 16 characters each.
    """

    user_id: str
    text: str
    source: str
    hash: str

    @staticmethod
    def of(user_id: str, text: str, source: str, evidence: str) -> "Profile":
        """One that was made just now from what has this hash."""
        return Profile(user_id, text, source, seal(evidence, text))


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """The profiles of a file in its order, () where there is no file. Raises DataError naming file, line and fix.

    A line without `source` and `hash` is one that a person wrote.
    """
    return read_lines(path, _parsed, lambda profile: profile.user_id, "user")


def write_profile_lines(path: Path, profiles: Iterable[Profile]) -> None:
    """One line for each, in one step, so that a stopped run leaves the old file."""
    write_lines(path, profiles)


def _parsed(line: str, place: str) -> Profile:
    example = '{"user_id": "u1", "text": "Likes: ..."}'
    row = row_of(line, place, example)
    if not all(isinstance(row.get(name), str) for name in ("user_id", "text")):
        raise DataError(f"{place}: user_id and text must be texts; write for example {example}")
    return Profile(row["user_id"], row["text"], *origin(row, place, HISTORY))
