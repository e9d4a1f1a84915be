"""What a benchmark is: files to a data set and a Split, and the published figures to stand beside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split
from palate.runtime import Runtime
from palate.types import Ragged

Load = Callable[[Path, Runtime], tuple[Dataset, Split]]
Figures = dict[str, float]  # metric name -> value


@dataclass(frozen=True)
class View:
    """One table: what is ranked, by which metric, beside which published figures (system -> figures, source).

    whole: rank the whole catalogue although the split names candidates.
    """

    protocol: str
    anchors: Mapping[str, tuple[Figures, str]] = field(default_factory=dict)
    metric: str = "ndcg@10"
    whole: bool = False

    def seen_on(self, cut: Split) -> Split:
        """The split as this table asks it."""
        if not self.whole:
            return cut
        validation, test = (replace(part, candidates=None) for part in (cut.validation, cut.test))
        return replace(cut, validation=validation, test=test)


@dataclass(frozen=True)
class Benchmark:
    """A data set with its split. Its tables, by name, ask recommenders that are fitted once.

    load: gives everything that was read, held-out events included, and the split.
    """

    title: str
    load: Load
    views: Mapping[str, View]


def refitted(cut: Split) -> Split:
    """Protocol B: what protocol A keeps for validation is trained on too, and validation asks nothing."""
    nobody = np.zeros(0, np.int32)
    window = cut.validation.window
    nothing = window.with_events(np.zeros(len(window.events), np.bool_))
    validation = Holdout(nobody, Ragged.empty(0), cut.test.known, nothing)
    note = "Protocol B: models are refitted on train and validation together before the test."
    known = cut.test.known
    train = replace(known, events=replace(known.events, clock=cut.train.events.clock))  # a random cut has none
    return replace(cut, train=train, validation=validation, notes=(*cut.notes, note))
