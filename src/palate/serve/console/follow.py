"""The registry as the console's page moves it: the service follows each move before the page is answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from palate.errors import ConfigError
from palate.serve.console.visit import Seen
from palate.serve.lineup import Lineup
from palate.serve.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Followed:
    """Versions of a registry that a service follows."""

    lineup: Lineup
    schedule: Schedule | None = None

    def versions(self) -> Sequence[Seen]:
        """The oldest first; files are not checked here, but before a version may answer."""
        return self.lineup.registry.versions(check=False)

    def promote(self, version: str, *, who: str) -> None:
        """Let a version answer everybody, if the gate let it pass."""
        self.lineup.registry.promote(version, who=who)
        self.lineup.look()

    def rollback(self, *, who: str) -> None:
        """Let the previous version answer again."""
        self.lineup.registry.rollback(who=who)
        self.lineup.look()

    def canary(self, version: str, share: float, *, who: str) -> None:
        """Let a version answer a share of the people."""
        self.lineup.registry.canary(version, share, who=who)
        self.lineup.look()

    def end_canary(self, *, who: str) -> None:
        """Let the live version answer everybody."""
        self.lineup.registry.end_canary(who=who)
        self.lineup.look()

    def train(self) -> None:
        """Begin to train anew. Raises ConflictError where that is under way."""
        if self.schedule is None:
            raise ConfigError("this service does not train; start one with `palate serve`")
        self.schedule.train()
