"""A pretrained transformer that reads two texts at once and says one number; the network behind `rank.cross`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from palate.bars import without_bars
from palate.errors import AssetError
from palate.precision import quick
from palate.types import Floats

Tokens = list[dict[str, list[int]]]
HEAD_PACE = 30.0  # how much faster than the transformer the head learns, which starts from nothing


class Reader(nn.Module):
    """The mean of the last layer's token vectors through a linear head, beside what was known of the pair before.

    score = head(mean) + trust * prior. Untrained, the head says 0 and trust is 1: the score is the prior.
    """

    def __init__(self, transformer: nn.Module, tokenizer: Any, width: int, max_tokens: int, dtype: str) -> None:
        super().__init__()
        self.transformer, self.tokenizer, self.max_tokens = transformer, tokenizer, max_tokens
        self.bf16 = dtype == "bf16" or (dtype == "auto" and quick("cpu") == torch.bfloat16)
        self.head = nn.Linear(width, 1)
        self.trust = nn.Parameter(torch.ones(1))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @staticmethod
    def open(folder: Path, max_tokens: int, dtype: str) -> "Reader":
        """The transformer of a folder with a fresh head; raises AssetError where none can be loaded from it."""
        try:
            with without_bars():
                transformer = AutoModel.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
                )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise AssetError(f"{folder}: no transformer can be loaded from it ({error})") from error
        longest = getattr(transformer.config, "max_position_embeddings", max_tokens)
        width = int(transformer.config.hidden_size)
        return Reader(transformer, tokenizer, width, min(max_tokens, longest), dtype).eval()

    def tokens(self, firsts: Sequence[str], seconds: Sequence[str]) -> Tokens:
        """(N) the pairs as token columns without padding, the longer text cut where both are too long."""
        if not firsts:
            return []
        found = self.tokenizer(list(firsts), list(seconds), truncation="longest_first", max_length=self.max_tokens)
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def forward(self, tokens: Tokens, prior: Tensor) -> Tensor:
        """(B,) scores of B pairs."""
        inputs = {name: torch.tensor(rows) for name, rows in self.tokenizer.pad(_columns(tokens)).items()}
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            states = self.transformer(**inputs).last_hidden_state.float()
        real = inputs["attention_mask"].unsqueeze(-1)  # (B, L, 1)
        mean = (states * real).sum(dim=1) / real.sum(dim=1)
        score: Tensor = HEAD_PACE * self.head(mean).squeeze(-1) + self.trust * prior
        return score

    @torch.inference_mode()
    def scores(self, tokens: Tokens, prior: Floats, batch_tokens: int) -> Floats:
        """(N,) the same for any number of pairs, sorted by length so that a batch holds almost no padding."""
        lengths = np.array([len(row["input_ids"]) for row in tokens], np.int64)
        order, start = np.argsort(-lengths, kind="stable"), 0
        found = np.zeros(len(tokens), np.float32)
        while start < len(order):
            rows = order[start : start + max(1, batch_tokens // int(lengths[order[start]]))]
            found[rows] = self([tokens[row] for row in rows], torch.from_numpy(prior[rows])).numpy()
            start += len(rows)
        return found

    def changed(self, since: Mapping[str, Tensor]) -> dict[str, np.ndarray[Any, Any]]:
        """The weights that are not those of `since`, by name."""
        return {
            name: value.detach().numpy().copy()
            for name, value in self.state_dict().items()
            if not torch.equal(value, since[name])
        }

    def with_weights(self, weights: Mapping[str, np.ndarray[Any, Any]]) -> "Reader":
        """Itself, with these weights in the place of those it has."""
        known = self.state_dict()
        self.load_state_dict({**known, **{name: torch.tensor(value) for name, value in weights.items()}})
        return self.eval()


def _columns(tokens: Tokens) -> dict[str, list[list[int]]]:
    return {name: [row[name] for row in tokens] for name in tokens[0]}
