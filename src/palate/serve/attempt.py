"""How training anew went the last time: a small file in the state folder, for the log, the commands and the console."""

import json
import signal
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from palate.runtime import log
from palate.serve.aliases import write

How = Literal["under way", "passed", "undecided", "refused", "failed", "killed", "stopped"]
FILE = "attempt.json"
DELAY_S = 60.0  # before what a signal ended is tried again; doubled with every kill in a row
LONGEST_S = 6 * 3600.0
GONE = "the end of the service"
ADVICE = {
    "SIGKILL": "often the memory was full: give the machine more, or train a smaller recipe",
    "SIGTERM": "somebody told it to stop",
    GONE: "often the memory was full: give the machine more, or train a smaller recipe",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One training. sequence: the last event of the log that it read; began, ended: unix seconds, 0 before the end.

    version: what it published, if anything; why: the gate's reasons or the error; signal: what killed it; kills: how
    often in a row training was killed.
    """

    began: float
    sequence: int = 0
    ended: float = 0.0
    how: How = "under way"
    version: str = ""
    why: str = ""
    signal: str = ""
    kills: int = 0

    @property
    def again(self) -> float | None:
        """When to try again: after a kill, later each time, or when the service stopped it; else None."""
        if self.how not in ("killed", "stopped"):
            return None
        return self.ended + min(DELAY_S * 2.0 ** max(0, self.kills - 1), LONGEST_S)

    @property
    def advice(self) -> str:
        """What to do about a kill; "" where nothing is known."""
        return ADVICE.get(self.signal, "") if self.how == "killed" else ""

    def __str__(self) -> str:
        """One line for people."""
        start = f"training of {moment(self.began)}"
        match self.how:
            case "under way":
                return f"{start}: under way"
            case "killed":
                after = "" if self.signal == GONE else f" after {self.ended - self.began:.0f} s"
                told = f"killed by {self.signal}{after}" + (f"; {self.advice}" if self.advice else "")
            case "stopped":
                told = "stopped with the service"
            case "failed":
                told = f"failed: {self.why}"
            case _:
                verdict = {"passed": "let it pass", "refused": "refused it", "undecided": "could not decide"}[self.how]
                told = f"made {self.version}; the gate {verdict}" + (f": {self.why}" if self.why else "")
        later = f"; to be tried again from {moment(self.again)}" if self.again is not None else ""
        return f"{start}: {told}{later}"

    def keep(self, folder: Path) -> None:
        """Write this in place of the last one; where that cannot be, say so and go on."""
        try:
            write(folder / FILE, asdict(self))
        except OSError as error:
            log.error("%s: cannot be written (%s); how training went is told here alone", folder / FILE, error)

    @staticmethod
    def last(folder: Path) -> "Attempt | None":
        """The one that is kept; None where there is none that can be read."""
        try:
            return Attempt(**json.loads((folder / FILE).read_text(encoding="utf8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError):
            log.warning("%s: damaged; how training went the last time is not known", folder / FILE)
            return None


def moment(seconds: float) -> str:
    """Unix seconds as people read them."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def name_of(code: int) -> str:
    """The signal behind a negative exit code."""
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
