"""Pairs of texts to scores by an exported cross-encoder; torch is never loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palate.exported.graph import Graph
from palate.types import Floats


@dataclass(frozen=True, eq=False)
class Pairs:
    """An open cross-encoder, as `palate.rank.reader.Reader` but for torch."""

    graph: Graph

    @staticmethod
    def open(folder: Path, max_tokens: int) -> "Pairs":
        """The cross-encoder that `palate export` wrote; raises AssetError where it is missing or damaged."""
        return Pairs(Graph.open(folder, "ranker", max_tokens))

    def read(self, firsts: Sequence[str], seconds: Sequence[str], prior: Floats, batch_tokens: int) -> Floats:
        """(N,) scores of N pairs."""
        if not firsts:
            return np.zeros(0, np.float32)
        return self.graph.read(list(zip(firsts, seconds, strict=True)), batch_tokens, prior=prior)
