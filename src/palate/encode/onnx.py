"""Texts to vectors by an exported encoder; torch is never loaded."""

from dataclasses import dataclass
from pathlib import Path

from palate.exported.graph import Graph
from palate.types import Floats
from palate.vectors import unit_rows


@dataclass(frozen=True, eq=False)
class Vectors:
    """An open encoder, as `palate.encode.forward.Network` but for torch."""

    graph: Graph

    @staticmethod
    def open(folder: Path, max_tokens: int) -> "Vectors":
        """The encoder that `palate export` wrote; raises AssetError where it is missing or damaged."""
        return Vectors(Graph.open(folder, "encoder", max_tokens))

    def encode(self, texts: list[str], batch_tokens: int) -> Floats:
        """(N, dim) unit rows for N >= 1 texts."""
        return unit_rows(self.graph.read(texts, batch_tokens))
