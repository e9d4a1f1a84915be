"""A cross-encoder of torch to a folder that `rank.onnx` opens."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from palate.exported.graph import Precision
from palate.exported.write import Traced, merged, written
from palate.rank.onnx import Pairs
from palate.rank.reader import Reader

_PEOPLE = (
    "Star Wars; Alien; Blade Runner",
    "Bridget Jones's Diary; Notting Hill; Love Actually; Pride and Prejudice; Sense and Sensibility; Emma",
    "流浪地球",
)
_ITEMS = (
    "x",
    "Quiet science fiction for a rainy evening",
    "A wedding, two sisters and a misunderstanding; romance, comedy",
    "A long description of a game in which ships fly to distant planets and are attacked by pirates. " * 5,
)
_SLACK = 1e-3  # a spread of scores that counts as none


class _Plain(nn.Module):
    """Token columns and priors to scores, without dictionaries, and with the state of all weights, not only of what
    learns."""

    def __init__(self, reader: Reader, names: list[str]) -> None:
        super().__init__()
        self.said, self.names = reader.said, names
        self.transformer, self.head, self.trust = reader.transformer, reader.head, reader.trust  # tracing's weights

    def forward(self, prior: Tensor, *columns: Tensor) -> Tensor:
        return self.said(dict(zip(self.names, columns, strict=True)), prior)


def export(reader: Reader, out: Path, precision: Precision, about: dict[str, Any]) -> dict[str, Any]:
    """Write a cross-encoder to the new folder `out` and return its manifest, see `written`; a tuned part is merged
    first.

    Raises ConfigError where the tuned part does not merge, AssetError where too little of the probe scores' spread is
    explained: 1 - the squares of what is missed / the squares of torch's scores less their mean.
    """
    reader.transformer = merged(reader.transformer)
    people, items = zip(*((person, item) for person in _PEOPLE for item in _ITEMS), strict=True)
    none = np.zeros(len(people), np.float32)
    expected = reader.read(people, items, none, 1024)
    tokens = reader.padded(reader.tokens(people[:2], items[:2]))

    def agreement(folder: Path) -> float:
        missed = Pairs.open(folder, reader.max_tokens).read(people, items, none, 1024) - expected
        return float(1 - np.mean(missed**2) / (expected.var() + _SLACK**2))

    plain, columns = _Plain(reader, list(tokens)), {"prior": torch.zeros(2), **tokens}
    made = Traced("ranker", plain, columns, "scores", reader.tokenizer, reader.max_tokens, "explained", agreement)
    return written(made, out, precision, about)
