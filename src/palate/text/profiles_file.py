"""Profiles as a JSON Lines file that a person may edit: user_id, text, source and a hash that tells whether one did."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from palate.errors import DataError

EDITED = "edited"
_FIELDS = ("user_id", "text", "source", "hash")


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
        return Profile(user_id, text, source, f"{evidence}-{short_hash(text)}")

    @property
    def evidence(self) -> str:
        """The hash of what it was made from."""
        return self.hash.partition("-")[0]

    @property
    def edited(self) -> bool:
        """Whether a person wrote it or changed it since it was made."""
        return self.source == EDITED or self.hash.partition("-")[2] != short_hash(self.text)


def read_profiles(path: Path) -> tuple[Profile, ...]:
    """The profiles of a file in its order, () where there is no file. Raises DataError naming file, line and fix.

    A line without `source` and `hash` is one that a person wrote.
    """
    if not path.exists():
        return ()
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); it must be a UTF-8 text file") from error
    found: dict[str, Profile] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        profile = _parsed(line, f"{path}:{number}")
        if profile.user_id in found:
            raise DataError(f'{path}:{number}: user "{profile.user_id}" stands twice; leave one line')
        found[profile.user_id] = profile
    return tuple(found.values())


def write_profile_lines(path: Path, profiles: Iterable[Profile]) -> None:
    """One line for each, in one step, so that a stopped run leaves the old file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf8", dir=path.parent, delete=False) as file:
            file.writelines(json.dumps(asdict(profile), ensure_ascii=False) + "\n" for profile in profiles)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error}); name another file") from error


def _parsed(line: str, place: str) -> Profile:
    example = '{"user_id": "u1", "text": "Likes: ..."}'
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: no JSON ({error}); write for example {example}") from None
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in _FIELDS[:2]):
        raise DataError(f"{place}: user_id and text must be texts; write for example {example}")
    source, mark = (row.get(name, default) for name, default in (("source", EDITED), ("hash", "")))
    if source not in ("history", "generated", EDITED) or not isinstance(mark, str):
        raise DataError(f'{place}: source {source!r} is not history, generated or edited; leave "source" out')
    return Profile(row["user_id"], row["text"], source, mark)


def short_hash(text: str) -> str:
    """16 characters of a text's sha256."""
    return hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest()[:16]
