"""A pretrained transformer that reads two texts at once and says one number; the network behind `rank.cross`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from palate.bars import without_bars
from palate.errors import AssetError, StoreError
from palate.precision import quick
from palate.tuning.methods import METHODS, MethodConfig
from palate.types import Floats

Tokens = list[dict[str, list[int]]]
_INNER = "transformer."
HEAD_PACE = 30.0  # how much faster than the transformer the head learns, which starts from nothing,
HEAD_RATE = 0.03  # and how fast at most, at the learning rate that a method usually wants


class Reader(nn.Module):
    """The mean of the last layer's token vectors through a linear head, beside what was known of the pair before.

    score = head(mean) + trust * prior. Untrained, the head says 0 and trust is 1: the score is the prior.
    """

    def __init__(self, transformer: Any, tokenizer: Any, width: int, max_tokens: int, dtype: str) -> None:
        super().__init__()
        self.transformer, self.tokenizer, self.max_tokens = transformer, tokenizer, max_tokens
        self.method, self.pace = "head", HEAD_PACE
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

    def learning(self, config: MethodConfig, steps: int = 1000) -> "Reader":
        """Itself, with what a method trains marked as learning: of the transformer what the method says, nothing for
        head; the head here and trust always learn beside it.

        Full and head change no layer, so that a ranker of these opens without the packages that training needs.
        steps: of the optimiser, in all. Raises ConfigError where the method does not work on the transformer.
        """
        self.method, self.pace = config.method, min(HEAD_PACE, HEAD_RATE / METHODS[config.method].learning_rate)
        if config.method in ("full", "head"):
            self.transformer.requires_grad_(config.method == "full")
            return self
        from palate.tuning.tuned import tunable  # optional, and slow to import

        self.transformer = tuned = tunable(self.transformer, config, steps)
        self.max_tokens = min(self.max_tokens, tuned.room)
        return self.eval()

    def stepped(self, step: int) -> None:
        """See `Tuned.stepped`."""
        if self._tuned:
            self.transformer.stepped(step)

    def penalty(self) -> Tensor | float:
        """See `Tuned.penalty`."""
        return self.transformer.penalty() if self._tuned else 0.0

    def tokens(self, firsts: Sequence[str], seconds: Sequence[str]) -> Tokens:
        """(N) the pairs as token columns without padding, the longer text cut where both are too long."""
        if not firsts:
            return []
        found = self.tokenizer(list(firsts), list(seconds), truncation="longest_first", max_length=self.max_tokens)
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def forward(self, tokens: Tokens, prior: Tensor) -> Tensor:
        """(B,) scores of B pairs."""
        return self.said(self.padded(tokens), prior)

    def padded(self, tokens: Tokens) -> dict[str, Tensor]:
        """(B, L) columns of B pairs."""
        return {name: torch.tensor(rows) for name, rows in self.tokenizer.pad(_columns(tokens)).items()}

    def said(self, inputs: Mapping[str, Tensor], prior: Tensor) -> Tensor:
        """(B,) scores of B pairs from their (B, L) columns."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            states = self.transformer(**inputs).last_hidden_state.float()
        real = inputs["attention_mask"].unsqueeze(-1)  # (B, L, 1)
        mean = (states * real).sum(dim=1) / real.sum(dim=1)
        score: Tensor = self.pace * self.head(mean).squeeze(-1) + self.trust * prior
        return score

    def read(self, firsts: Sequence[str], seconds: Sequence[str], prior: Floats, batch_tokens: int) -> Floats:
        """(N,) scores of N pairs of texts."""
        return self.scores(self.tokens(firsts, seconds), prior, batch_tokens)

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

    def learned(self) -> dict[str, np.ndarray[Any, Any]]:
        """The weights that learn, by name: with the method's options all that `with_weights` needs."""
        return {name: value.detach().numpy().copy() for name, value in self._learning().items()}

    def with_weights(self, weights: Mapping[str, np.ndarray[Any, Any]]) -> "Reader":
        """Itself, with these weights in the place of those it has; raises StoreError where there is no such place."""
        places = dict(self.named_parameters())
        with torch.no_grad():
            for name, value in weights.items():
                if name not in places or places[name].shape != value.shape:
                    raise StoreError(f"ranker: no place for its weights {name} {value.shape}; train the ranker again")
                places[name].copy_(torch.tensor(value))
        return self.eval()

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """What learns, and what a method remembers beside it, for checkpoints."""
        inner = self.transformer.state_dict() if self._tuned else {}
        own = {name: value.detach() for name, value in self._learning().items()}
        return {**own, **{f"{_INNER}{name}": value for name, value in inner.items()}}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Takes what `state_dict` gave; raises KeyError where a part is missing."""
        with torch.no_grad():
            for name, value in self._learning().items():
                value.copy_(state_dict[name])
        if self._tuned:
            inner = {name.removeprefix(_INNER): value for name, value in state_dict.items() if name.startswith(_INNER)}
            self.transformer.load_state_dict(inner)

    @property
    def _tuned(self) -> bool:
        """Whether the transformer is a `Tuned`."""
        return self.method not in ("full", "head")

    def _learning(self) -> dict[str, nn.Parameter]:
        return {name: value for name, value in self.named_parameters() if value.requires_grad}


def _columns(tokens: Tokens) -> dict[str, list[list[int]]]:
    return {name: [row[name] for row in tokens] for name in tokens[0]}
