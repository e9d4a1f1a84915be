"""Which versions answer whom: a small JSON file, replaced in one step."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from palate import store
from palate.errors import StoreError
from palate.serve.assign import chosen

Role = Literal["live", "previous", "canary", "idle"]


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that answers a share of the people."""

    version: str
    share: float


@dataclass(frozen=True, slots=True)
class Aliases:
    """Which versions answer; serial: how often that changed; audit: the hash of the entry that tells of it."""

    live: str | None = None
    previous: str | None = None
    canary: Canary | None = None
    serial: int = 0
    audit: str = ""

    def version_for(self, user_id: str | None) -> str | None:
        """Who answers a person, always the same while the canary is; a stranger without an id is answered by live."""
        canary = self.canary
        if canary and user_id is not None and chosen(user_id, f"canary {canary.version}", canary.share):
            return canary.version
        return self.live

    def role(self, version: str) -> Role:
        """What a version is to the aliases."""
        if version == self.live:
            return "live"
        if self.canary and version == self.canary.version:
            return "canary"
        return "previous" if version == self.previous else "idle"

    @staticmethod
    def read(path: Path) -> "Aliases":
        """Those in a file, none where there is none. Raises StoreError where it is damaged."""
        try:
            node = json.loads(path.read_text(encoding="utf8"))
            canary = node.pop("canary")
            return Aliases(**node, canary=Canary(**canary) if canary else None)
        except FileNotFoundError:
            return Aliases()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            kept = "what it held is `aliases` in the last entry of audit.jsonl that has them"
            raise StoreError(f"{path}: damaged; restore it: {kept}") from None


def write(path: Path, value: Any) -> None:
    """Replace a JSON file in one step, on disk when this returns; only one process at a time may."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(value, indent=2, ensure_ascii=False), encoding="utf8")
    store.sync(fresh)
    fresh.replace(path)
    store.sync(path.parent)
