"""Texts through a pretrained network in batches of tokens; the only file of inference that loads torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from palate.assets import in_folder
from palate.bars import without_bars
from palate.errors import AssetError
from palate.precision import quick
from palate.types import Floats
from palate.vectors import unit_rows

BASE, PART = "base", "adapter"  # folders of a tuned encoder whose tuned part does not merge


@dataclass(frozen=True, eq=False)
class Network:
    """An open text encoder: weights in fp32, and whether it computes in bf16."""

    model: SentenceTransformer
    bf16: bool

    @staticmethod
    def open(folder: Path, max_tokens: int, dtype: str) -> "Network":
        """Load a folder in the layout of sentence-transformers or transformers; raises AssetError where it is none."""
        model = _loaded(folder)
        model.max_seq_length = min(max_tokens, model.max_seq_length or max_tokens)
        return Network(model, dtype == "bf16" or (dtype == "auto" and quick(model.device.type) == torch.bfloat16))

    def with_part(self, files: Mapping[str, NDArray[np.uint8]]) -> "Network":
        """Itself with a tuned part, packed by `palate.tuning.packed`."""
        from palate.tuning.tuned import attached  # optional, and slow to import

        with in_folder(files) as folder:
            self.model[0].model = attached(self.model[0].model, folder)
        return self

    @torch.inference_mode()
    def encode(self, texts: list[str], batch_tokens: int) -> Floats:
        """(N, dim) unit rows for N >= 1 texts."""
        return unit_rows(self.vectors(texts, batch_tokens).cpu().numpy())

    def vectors(self, texts: list[str], batch_tokens: int) -> torch.Tensor:
        """(N, dim) for N >= 1 texts, on the network's device, with gradients where something learns.

        All are tokenized in one call and sorted by length, so that a batch holds almost no padding; a batch is as many
        texts as `batch_tokens` allow. bf16 is autocast: weights are cast once, norms and sums stay in fp32.
        """
        tokens = {name: part for name, part in self.model.preprocess(texts).items() if isinstance(part, torch.Tensor)}
        lengths = tokens["attention_mask"].sum(dim=1)  # (N,)
        order = torch.argsort(lengths, descending=True, stable=True)
        parts: list[torch.Tensor] = []
        start = 0
        with torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.bf16):
            while start < len(order):
                width = int(lengths[order[start]])  # of the longest text in the batch
                rows = order[start : start + max(1, batch_tokens // width)]
                parts.append(self._batch({name: part[rows] for name, part in tokens.items()}, width))
                start += len(rows)
        return torch.cat(parts)[torch.argsort(order).to(parts[0].device)]

    def _batch(self, tokens: dict[str, torch.Tensor], width: int) -> torch.Tensor:
        """(B, dim) of token columns (B, longest of all), of which only `width` are not padding."""
        columns = slice(-width, None) if self.model.tokenizer.padding_side == "left" else slice(width)
        inputs = {name: part[:, columns].to(self.model.device) for name, part in tokens.items()}
        vectors: torch.Tensor = self.model(inputs)["sentence_embedding"]
        return vectors.float()


def _loaded(folder: Path) -> SentenceTransformer:
    """The model of a folder; no code of its own is run and no pickle opened."""
    if (folder / BASE).is_dir() and (folder / PART).is_dir():
        from palate.tuning.tuned import attached  # optional, and slow to import

        model = _loaded(folder / BASE)
        model[0].model = attached(model[0].model, folder / PART)
        return model
    try:
        with without_bars():
            return SentenceTransformer(
                str(folder), local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise AssetError(f"{folder}: no text encoder can be loaded from it ({error})") from error
