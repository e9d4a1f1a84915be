"""The registry's aliases to what the service answers with: loaded, followed, and taken back where it goes wrong."""

import threading
from pathlib import Path
from time import monotonic

from palate import store
from palate.errors import PalateError, StoreError
from palate.runtime import log
from palate.serve.aliases import Aliases
from palate.serve.registry import Registry
from palate.serve.service import Service
from palate.serve.watch import go_back

LOOK_S = 0.5  # between two looks at the aliases


class Lineup:
    """Keeps a service at what the aliases of a registry say, whoever moves them.

    The previous version stays loaded, so that going back takes one look. A version that is damaged is not taken: what
    answered before goes on. Each look also asks the watch whether a version went bad (see `palate.serve.watch`).
    """

    def __init__(self, service: Service, registry: Registry) -> None:
        self._service, self.registry = service, registry
        self._serial = -1
        self._turn = threading.RLock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lineup", daemon=True)

    def start(self, model: Path | None) -> None:
        """Serve the live version, after `model` was published and promoted if it is one that the registry has not.

        Raises StoreError where nothing that is whole can be served.
        """
        if model is not None:
            self._named(model)
        found = self.registry.serving()
        if found.note:
            log.error("%s", found.note)
        self._service.serve(self._service.open_version(found.version, found.model))
        self._thread.start()

    def look(self) -> None:
        """Do what the aliases say, if they moved, and go back where the watch says so."""
        with self._turn:
            aliases = self.registry.aliases()
            if aliases.serial != self._serial:
                self._take(aliases)
                self._serial = aliases.serial
            if entry := go_back(self.registry, self._service.watch, monotonic()):
                log.error("went back: %s", entry["why"])
                self._service.counters.returned.labels(entry["what"]).inc()
                self.look()

    def close(self) -> None:
        """Follow no more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except PalateError as error:
                log.error("the lineup stays as it is: %s", error)
            except Exception:  # noqa: BLE001 - the next look may fare better
                log.exception("a look at the aliases failed")
            self._stop.wait(LOOK_S)

    def _named(self, model: Path) -> None:
        """Take a model that the registry has not: whoever names it at start wants it served."""
        content = store.fingerprint(model)[:8]
        if not any(name.endswith(f"-{content}") for name in self.registry.ids()):
            name = self.registry.publish(model, who="serve", note=f"from {model.name}")
            self.registry.promote(name, force=True, who="serve", why="named at start")

    def _take(self, aliases: Aliases) -> None:
        """Open what is missing, live first, and let it answer."""
        service = self._service
        canary = aliases.canary.version if aliases.canary else None
        for name in (aliases.live, canary, aliases.previous):
            if name is None or name in service.versions:
                continue
            try:
                service.open_version(name, self.registry.load(name))
            except StoreError as error:
                log.error("version %s is not taken: %s", name, error)
            if name == aliases.live and name in service.versions:
                service.follow(aliases)
        if aliases.live in service.versions:
            service.follow(aliases)
