"""A folder of saved versions, and the aliases that say which of them answers.

    versions/20261124T221500-1a2b3c4d/   a saved model (`palate.store`) and card.json: where it comes from, what the
                                         gate found
    aliases.json                         live, previous and canary, with a serial number
    audit.jsonl                          who changed what, when and why (`palate.serve.chain`)

Any number of processes may read and write. A version is published by one rename; an alias only moves to a version
whose files match their hashes, by compare-and-set under a file lock, and is on disk when the call returns.
"""

import dataclasses
import errno
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from palate import store
from palate.data.dataset import Dataset
from palate.errors import ConfigError, FullError, StoreError, VersionError
from palate.model import Model, load
from palate.runtime import Runtime
from palate.serve.aliases import Aliases, Canary, Role, write
from palate.serve.chain import Chain
from palate.serve.gate import GateConfig, Outcome, judge

_CARD = "card.json"
_UNFINISHED = ".unfinished-"  # folders that nobody sees; those of killed processes are swept away
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
_SECOND = "%Y%m%dT%H%M%S"
_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Published:
    """A version in a list; damage: why it cannot be used, "" where it can."""

    id: str
    role: Role
    damage: str
    card: Mapping[str, Any]

    @property
    def state(self) -> str:
        return "damaged" if self.damage else self.role


@dataclass(frozen=True, slots=True, eq=False)
class Serving:
    """The model that is to answer; note: why it is not the live one, "" where it is."""

    version: str
    model: Model
    note: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Versions in a folder, which is made when the first one is published. clock: unix seconds."""

    root: Path
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def publish(self, model: Model | str | Path, *, note: str = "", who: str = "") -> str:
        """Take a model, or the folder of a saved one, as a new version that answers nobody yet; returns its id.

        Raises StoreError where the folder holds no model, or one that is damaged or does not open; FullError where
        there is no room.
        """
        self.sweep()
        with self._lock("publish"):
            self._versions.mkdir(exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._versions))
            try:
                version = self._place(_copied(model, work / "model"), note)
            finally:
                shutil.rmtree(work, ignore_errors=True)
            self._tell("publish", who, note, version=version)
        return version

    def sweep(self) -> None:
        """Remove what killed processes left, and tell of versions that they published without telling."""
        with self._lock("publish"):
            for path in self._versions.glob(f"{_UNFINISHED}*"):
                shutil.rmtree(path, ignore_errors=True)
            told = {entry["version"] for entry in self._audit.entries() if entry["what"] == "publish"}
            for version in self.ids():
                if version not in told:
                    self._tell("publish", "", "found, without an entry here", version=version)

    def ids(self) -> list[str]:
        """All versions, the oldest first."""
        found = self._versions.iterdir() if self._versions.is_dir() else ()
        return sorted(path.name for path in found if _ID.fullmatch(path.name))

    def versions(self, *, check: bool = True) -> list[Published]:
        """All versions, the oldest first; check: read every file to see whether it is what was saved."""
        aliases = self.aliases()
        return [self._seen(version, aliases, check) for version in self.ids()]

    def card(self, version: str) -> dict[str, Any]:
        """What is known about a version. Raises VersionError for one that is not there, StoreError for a bad card."""
        path = self._folder(version) / _CARD
        try:
            return dict(json.loads(path.read_text(encoding="utf8")))
        except (OSError, ValueError):
            raise StoreError(f"{path}: missing or damaged; publish the model again") from None

    def verify(self, version: str) -> None:
        """Check the files of a version against their hashes, and its name against the hash of these.

        Raises VersionError for one that is not there, StoreError for one that is not what was published.
        """
        with self._opened(version) as folder:
            store.verify(folder)

    def load(self, version: str) -> Model:
        """The model of a version, opened after its files were checked."""
        with self._opened(version) as folder:
            return load(folder)

    def serving(self) -> Serving:
        """The live model; the previous one, with a note, where the live one is damaged."""
        aliases, note = self.aliases(), ""
        for version in (aliases.live, aliases.previous):
            if version is None:
                continue
            try:
                return Serving(version, self.load(version), note)
            except (StoreError, VersionError) as error:
                note = f"{version} is not served: {error}"
        advice = "publish a model and promote it with `palate versions`"
        raise StoreError(note or f"{self.root}: no version is live; {advice}")

    def aliases(self) -> Aliases:
        """Which versions answer now. Raises StoreError where the file is damaged."""
        return Aliases.read(self.root / "aliases.json")

    def gate(
        self,
        version: str,
        data: Dataset,
        config: GateConfig | None = None,
        *,
        refit: bool = False,
        who: str = "",
        runtime: Runtime | None = None,
    ) -> Outcome:
        """Judge a version against the live one on the newest likes in a log (`palate.serve.gate`); kept in its card."""
        live = self.aliases().live
        if version == live:
            raise VersionError(f"{version}: is live, and a version is not judged against itself")
        against = self.load(live) if live else None
        outcome = judge(self.load(version), against, data, config, name=live or "", refit=refit, runtime=runtime)
        found = {**outcome.as_plain(), "when": self._now().isoformat(timespec="seconds")}
        with self._lock("aliases"):
            write(self._folder(version) / _CARD, {**self.card(version), "gate": found})
            self._tell("gate", who, " ".join(outcome.reasons), version=version, against=live, verdict=outcome.verdict)
        return outcome

    def promote(
        self, version: str, *, force: bool = False, who: str = "", why: str = "", expect: int | None = None
    ) -> dict[str, Any]:
        """Make a version live, and the live one previous; returns the entry of the audit.

        expect: the serial that the caller saw; if the aliases moved since, nothing happens.
        force: also where the gate refused it, could not decide, or never judged it against what is live now.

        Raises VersionError for what is not there, not permitted or not as expected; StoreError for damaged files.
        """

        def change(now: Aliases) -> tuple[Aliases, str]:
            if version == now.live:
                raise VersionError(f"{version}: is live already")
            objection = self._objection(version, now.live)
            canary = None if now.canary and now.canary.version == version else now.canary
            return replace(now, live=version, previous=self._sound(now.live), canary=canary), objection

        return self._move("promote", version, change, force, who, why, expect)

    def rollback(self, *, who: str = "", why: str = "", expect: int | None = None) -> dict[str, Any]:
        """Make the previous version live again; there is none then, so that no second call brings the bad one back."""

        def change(now: Aliases) -> tuple[Aliases, str]:
            if now.previous is None:
                raise VersionError(f"{self.root}: there is no previous version; promote one by its id")
            canary = None if now.canary and now.canary.version == now.previous else now.canary
            return replace(now, live=now.previous, previous=None, canary=canary), ""

        return self._move("rollback", None, change, False, who, why, expect)

    def canary(
        self,
        version: str,
        share: float,
        *,
        force: bool = False,
        who: str = "",
        why: str = "",
        expect: int | None = None,
    ) -> dict[str, Any]:
        """Let a version answer a share of the people; in a larger share are those of a smaller one.

        A version that the gate could not decide about may be tried; one that it refused, or never saw, only by `force`.
        """
        if not 0 < share < 1:
            raise ConfigError(f"share: {share} is not between 0 and 1; write for example 0.05")

        def change(now: Aliases) -> tuple[Aliases, str]:
            if now.live is None:
                raise VersionError(f"{self.root}: no version is live for the other people; promote one first")
            if version == now.live:
                raise VersionError(f"{version}: is live already")
            return replace(now, canary=Canary(version, share)), self._objection(version, now.live, trial=True)

        return self._move("canary", version, change, force, who, why, expect)

    def end_canary(self, *, who: str = "", why: str = "", expect: int | None = None) -> dict[str, Any]:
        """Let the live version answer everybody."""

        def change(now: Aliases) -> tuple[Aliases, str]:
            if now.canary is None:
                raise VersionError(f"{self.root}: there is no canary")
            return replace(now, canary=None), ""

        return self._move("end canary", None, change, False, who, why, expect)

    def retire(self, keep: int, *, who: str = "", why: str = "") -> list[str]:
        """Remove idle versions but the newest `keep` of them; those that answer or answered last always stay."""
        if keep < 0:
            raise ConfigError(f"keep: {keep} is below 0")
        with self._lock("aliases"):
            aliases = self.aliases()
            idle = [version for version in self.ids() if aliases.role(version) == "idle"]
            gone = idle[: max(0, len(idle) - keep)]
            for version in gone:
                self._tell("retire", who, why, version=version)
                hidden = self._versions / f"{_UNFINISHED}{version}"
                self._folder(version).rename(hidden)
                shutil.rmtree(hidden, ignore_errors=True)
        return gone

    def audit(self) -> list[dict[str, Any]]:
        """What was changed, by whom, when and why, the oldest first."""
        return list(self._audit.entries())

    def audit_intact(self) -> bool:
        """Whether nothing in the audit was changed, and it still holds the last move of the aliases."""
        last = self.aliases().audit
        return not self._audit.broken() and (not last or any(last == entry["hash"] for entry in self._audit.entries()))

    @property
    def _versions(self) -> Path:
        return self.root / "versions"

    @property
    def _audit(self) -> Chain:
        return Chain(self.root / "audit.jsonl")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)

    def _folder(self, version: str) -> Path:
        if version not in self.ids():
            raise VersionError(f'version "{version}": not in {self.root}; known: {", ".join(self.ids()) or "none"}')
        return self._versions / version

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with FileLock(self.root / f".{name}.lock", timeout=_PATIENCE_S):
                yield
        except Timeout:
            raise StoreError(f"{self.root}: another process is at work ({name}); try again") from None
        except (OSError, SafetensorError) as error:
            kind = FullError if os.strerror(errno.ENOSPC) in str(error) else StoreError
            raise kind(f"{self.root}: cannot be written to ({error}); what is live stays") from error

    @contextmanager
    def _opened(self, version: str) -> Iterator[Path]:
        """The folder of a version, whose manifest is the one that was published; what cannot be read is damage."""
        folder = self._folder(version)
        try:
            if not version.endswith(f"-{store.fingerprint(folder)[:8]}"):
                raise StoreError(f"{folder}: damaged, its manifest is not the one it was published with; restore it")
            yield folder
        except OSError as error:
            raise StoreError(f"{folder}: cannot be read ({error.strerror}); restore it") from None

    def _tell(self, what: str, who: str, why: str, **facts: Any) -> dict[str, Any]:
        when = self._now().isoformat(timespec="milliseconds")
        return self._audit.append({"when": when, "who": who, "what": what, "why": why, **facts})

    def _place(self, fresh: Path, note: str) -> str:
        """Give a finished folder its card and its name, on disk when this returns."""
        about = load(fresh).about  # what does not open is not published
        now = self._now()
        version = f"{self._after_all(now):{_SECOND}}-{store.fingerprint(fresh)[:8]}"
        card = {key: about.get(key) for key in ("recipe", "encoder", "seed", "data", "palate")}
        when = now.isoformat(timespec="seconds")
        card |= {"version": version, "when": when, "note": note, "parent": self.aliases().live, "gate": None}
        write(fresh / _CARD, card)
        for path in (*fresh.iterdir(), fresh):
            store.sync(path)
        fresh.rename(self._versions / version)
        store.sync(self._versions)
        return version

    def _after_all(self, now: datetime) -> datetime:
        """The second that a new version is named by: later than those of all others, whatever the clock says."""
        times = [datetime.strptime(one[:15], _SECOND).replace(tzinfo=UTC) for one in self.ids()]
        return max([now, *(one + timedelta(seconds=1) for one in times)])

    def _seen(self, version: str, aliases: Aliases, check: bool) -> Published:
        card: dict[str, Any] = {}
        damage = ""
        try:
            card = self.card(version)
            if check:
                self.verify(version)
        except StoreError as error:
            damage = str(error)
        return Published(version, aliases.role(version), damage, card)

    def _sound(self, version: str | None) -> str | None:
        """The version, or None where it is damaged: no alias stays on such a one when it moves."""
        try:
            if version is not None:
                self.verify(version)
        except (StoreError, VersionError):
            return None
        return version

    def _objection(self, version: str, live: str | None, *, trial: bool = False) -> str:
        """Why the gate does not let a version take the place of the live one, or be tried beside it; "" if it does."""
        gate = self.card(version)["gate"]
        if gate and gate["verdict"] == "refused":
            return f"the gate refused it: {' '.join(gate['reasons'])}"
        if live is None:
            return ""
        if not gate or gate["live"] != live:
            way = f"run `palate versions {self.root} gate {version} --data DATA`"
            return f"it was not judged against {live}, which is live; {way}"
        if gate["verdict"] == "undecided" and not trial:
            return f"the gate could not decide: {' '.join(gate['reasons'])}"
        return ""

    def _move(
        self,
        what: str,
        version: str | None,
        change: Callable[[Aliases], tuple[Aliases, str]],
        force: bool,
        who: str,
        why: str,
        expect: int | None,
    ) -> dict[str, Any]:
        """Compare and set: the entry is written first, so that no move goes untold; a killed process may leave one
        whose serial was not reached, which the next move then takes."""
        with self._lock("aliases"):
            now = self.aliases()
            if expect is not None and expect != now.serial:
                raise VersionError(f"{self.root}: the aliases moved meanwhile ({expect} to {now.serial}); look again")
            then, objection = change(now)
            if objection and not force:
                raise VersionError(f"{version}: {objection}; or force it")
            for one in {then.live, then.canary.version if then.canary else None} - {now.live, None}:
                self.verify(str(one))
            then = replace(then, serial=now.serial + 1)
            facts = {"from": now.live, "to": then.live, "aliases": dataclasses.asdict(then), "forced": objection}
            entry = self._tell(what, who, why, **facts, version=version or then.live)
            write(self.root / "aliases.json", dataclasses.asdict(replace(then, audit=entry["hash"])))
        return entry


def _copied(model: Model | str | Path, folder: Path) -> Path:
    """A model saved in a new folder, or the files of one that is saved already."""
    if isinstance(model, Model):
        model.save(folder)
        return folder
    files = store.verify(Path(model))
    folder.mkdir()
    for path in files:
        shutil.copyfile(path, folder / path.name)
    return folder
