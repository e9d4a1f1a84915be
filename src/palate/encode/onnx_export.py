"""A text encoder of torch to a folder that `encode.onnx` opens."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from palate.encode.forward import Network
from palate.encode.onnx import Vectors
from palate.exported.graph import Precision
from palate.exported.write import Traced, merged, written

_PROBES = [
    "x",
    "Quiet science fiction for a rainy evening",
    "流浪地球：太阳即将毁灭",
    "A long description of a game in which ships fly to distant planets and are attacked by pirates. " * 5,
]


class _Plain(nn.Module):
    """Token columns to unit vectors, without the dictionaries of sentence-transformers."""

    def __init__(self, model: Any, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *columns: Tensor) -> Tensor:
        found: Tensor = self.model(dict(zip(self.names, columns, strict=True)))["sentence_embedding"]
        return found


def export(network: Network, out: Path, precision: Precision, about: dict[str, Any]) -> dict[str, Any]:
    """Write an encoder to the new folder `out` and return its manifest, see `written`; a tuned part is merged first.

    Raises ConfigError where the tuned part does not merge, AssetError where the cosine of a probe's vector with torch's
    is too small.
    """
    model: Any = network.model
    model[0].model = merged(model[0].model)
    expected, longest = network.encode(_PROBES, 1024), int(model.max_seq_length)
    tokens = {name: part for name, part in model.preprocess(_PROBES[1:3]).items() if isinstance(part, Tensor)}
    columns = {name: tokens[name] for name in ("input_ids", "attention_mask", "token_type_ids") if name in tokens}

    def agreement(folder: Path) -> float:
        return float((Vectors.open(folder, longest).encode(_PROBES, 1024) * expected).sum(axis=1).min())

    plain = _Plain(model, list(columns))
    made = Traced(
        "encoder", plain, columns, "vectors", model.tokenizer, longest, measure="least_cosine", agreement=agreement
    )
    return written(made, out, precision, about)
