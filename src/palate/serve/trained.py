"""What of the log a model was trained on, written in the model itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from palate.model import Model
from palate.serve.events import Event


@dataclass(frozen=True, slots=True)
class Training:
    """sequence: the last event, in the server's order, that was there; began: when, unix seconds of the server's clock;
    until: events later than this by the client's clock were held out."""

    sequence: int = 0
    began: float = 0.0
    until: float = math.inf

    @staticmethod
    def of(model: Model) -> "Training":
        """That of a model; one that was trained on files alone has seen nothing of a log."""
        return Training(**model.about.get("log", {}))

    def marked(self, model: Model) -> Model:
        """The model with this written in it."""
        log = {"sequence": self.sequence, "began": self.began}
        log |= {"until": self.until} if math.isfinite(self.until) else {}
        return replace(model, about={**model.about, "log": log})

    def without(self, event: Event) -> bool:
        """Whether the model was trained without this event."""
        return event.seq > self.sequence or event.time > self.until

    def as_late_as(self, other: "Training") -> bool:
        """Whether the model has seen every event that one so trained has."""
        return self.sequence >= other.sequence and self.until >= other.until

    @staticmethod
    def earliest(several: Sequence["Training"]) -> "Training":
        """One that has seen what all of them have, and no more."""
        return Training(min(one.sequence for one in several), until=min(one.until for one in several))
