"""Tokens through a decoder network in batches: log-probabilities of what follows, and what it writes itself."""

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import DynamicCache

from palate.bars import without_bars
from palate.errors import AssetError
from palate.generate.prefix import grouped
from palate.precision import quick

Pick = Callable[[int, torch.Tensor], int]  # a sequence's place and its logits (V,) to the next token

_MOST_ROWS = 64  # sequences at once: each has a row of logits as wide as the vocabulary
_ON_GPU = 16  # times as many rows and tokens at once on a GPU, which small passes leave idle
_REMEMBERED = 16  # times `batch_tokens` may keys and values of a shared beginning take, repeated for each sequence


@dataclass(frozen=True, slots=True)
class Batch:
    """Sequences that go through the network together, after a beginning that it has read already.

    rows: (B,) their places. read: how many tokens of each `past` holds.
    """

    rows: tuple[int, ...]
    read: int
    past: DynamicCache


@dataclass(frozen=True, eq=False)
class CausalNetwork:
    """An open decoder: body in bf16 where the processor has it, last layer and its sums in fp32.

    bf16 logits would differ by steps of an eighth, and candidates would tie. Virtual tokens of a tuned one are a
    beginning that every sequence shares: `begun` gives what it has read of them, `virtual` how many these are.
    """

    model: Any
    tokenizer: Any
    begun: Callable[[], DynamicCache | None] = lambda: None
    virtual: int = 0

    @staticmethod
    def open(folder: Path, dtype: str, adapter: Path | None = None) -> "CausalNetwork":
        """Load a folder of safetensors, with a tuned part if there is one; no code of its own is run.

        Raises AssetError where the folder holds no decoder, StoreError where the part does not fit.
        """
        device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = {"fp32": torch.float32, "bf16": torch.bfloat16}.get(dtype) or quick(device)
        safe = {"local_files_only": True, "trust_remote_code": False}
        try:
            with without_bars():
                tokenizer = AutoTokenizer.from_pretrained(folder, **safe)
                model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=kind, use_safetensors=True, **safe)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            raise AssetError(f"{folder}: no generating language model can be loaded from it ({error})") from error
        if adapter:
            from palate.tuning.tuned import attached  # optional, and slow to import

            model = attached(model, adapter)
        model.to(torch.device(device))
        return CausalNetwork.of(model, tokenizer)

    @staticmethod
    def of(model: Any, tokenizer: Any) -> "CausalNetwork":
        """A network that is in memory already, or a `Tuned` one; its last layer is replaced by one that computes in
        fp32."""
        if model.dtype != torch.float32 and not isinstance(model.get_output_embeddings(), _Head):
            model.set_output_embeddings(_Head(model.get_output_embeddings()))
        model.eval()
        if virtual := getattr(model, "virtual", 0):
            return CausalNetwork(model.behind, tokenizer, model.beginning, virtual)
        return CausalNetwork(model, tokenizer)

    @property
    def longest(self) -> int:
        """Tokens that it can read at once."""
        return int(getattr(self.model.config, "max_position_embeddings", None) or 1 << 30) - self.virtual

    @property
    def chats(self) -> bool:
        """Whether it has a template for conversations."""
        return bool(self.tokenizer.chat_template)

    def prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """(N) tokens of each prompt, in the model's own template where it has one.

        Its control tokens are taken out of the texts, so that no title can end a prompt or speak for somebody else.
        """
        control = sorted({*self.tokenizer.all_special_tokens, *self._added_control()}, key=len, reverse=True)
        plain = [re.sub("|".join(map(re.escape, control)), " ", text) for text in texts] if control else list(texts)
        if not self.chats:
            return [list(self.tokenizer(text)["input_ids"]) for text in plain]
        return [list(self.tokenizer(self._as_chat(text), add_special_tokens=False)["input_ids"]) for text in plain]

    def answers(self, texts: Sequence[str]) -> list[list[int]]:
        """(A) tokens of each answer as it stands after a prompt."""
        lead = "" if self.chats else " "
        return [list(self.tokenizer(lead + text, add_special_tokens=False)["input_ids"]) for text in texts]

    def text(self, tokens: Sequence[int]) -> str:
        """What tokens say, without control tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    @torch.inference_mode()
    def score(
        self, sequences: Sequence[list[int]], targets: Sequence[Sequence[list[int]]], batch_tokens: int, share: bool
    ) -> list[list[float]]:
        """Per sequence and target the log-probability of the target's tokens.

        The targets of a sequence are of one length T and stand at its last T - 1 places and the one after: each but
        its last token is in the sequence already.
        """
        found: list[list[float]] = [[] for _ in sequences]
        for batch in self._batches(sequences, [len(ends[0]) for ends in targets], batch_tokens, share):
            for row, told in zip(batch.rows, self._told(batch, sequences, targets), strict=True):
                found[row] = told.tolist()
        return found

    def told(self, sequences: Sequence[list[int]], targets: Sequence[Sequence[list[int]]]) -> list[torch.Tensor]:
        """The same as `score`, with gradients, for sequences that are read as one batch."""
        past = self.begun() or DynamicCache(config=self.model.config)
        if self.virtual:
            past.batch_repeat_interleave(len(sequences))
        return self._told(Batch(tuple(range(len(sequences))), 0, past), sequences, targets)

    @torch.inference_mode()
    def write(
        self, sequences: Sequence[list[int]], max_tokens: int, pick: Pick, batch_tokens: int, share: bool
    ) -> list[list[int]]:
        """Per sequence what follows it, at most `max_tokens`, up to a token that ends an answer."""
        written: list[list[int]] = [[] for _ in sequences]
        ends = self._ends()
        for batch in self._batches(sequences, [1] * len(sequences), batch_tokens, share):
            inputs = self._inputs([sequences[row][batch.read :] for row in batch.rows], batch.read)
            going = set(batch.rows)
            for _ in range(max_tokens):
                logits = self.model(**inputs, past_key_values=batch.past, use_cache=True, logits_to_keep=1).logits
                picked = [pick(row, logits[at, -1].float()) if row in going else 0 for at, row in enumerate(batch.rows)]
                for row, token in zip(batch.rows, picked, strict=True):
                    if row in going and token in ends:
                        going.remove(row)
                    elif row in going:
                        written[row].append(token)
                if not going:
                    break
                inputs = _next(inputs, picked)
        return written

    def _told(
        self, batch: Batch, sequences: Sequence[list[int]], targets: Sequence[Sequence[list[int]]]
    ) -> list[torch.Tensor]:
        """Per row of the batch the log-probabilities (A,) of its targets."""
        width = max(len(targets[row][0]) for row in batch.rows)
        inputs = self._inputs([sequences[row][batch.read :] for row in batch.rows], batch.read)
        logits = self.model(**inputs, past_key_values=batch.past, use_cache=True, logits_to_keep=width).logits
        chances = torch.log_softmax(logits.float(), dim=-1)  # (B, width, V)
        found = []
        for at, row in enumerate(batch.rows):
            ends = torch.tensor(targets[row], device=chances.device)  # (A, T)
            span = ends.shape[1]
            found.append(chances[at, width - span :].T[ends, torch.arange(span)].sum(dim=1))
        return found

    def _batches(
        self, sequences: Sequence[list[int]], kept: Sequence[int], batch_tokens: int, share: bool
    ) -> Iterator[Batch]:
        """All sequences, longest first within a group; the beginning that a group shares is read once, but on a GPU,
        where it would be one more small pass for each group."""
        wider = _ON_GPU if self.model.device.type == "cuda" else 1
        batch_tokens, most, share = wider * batch_tokens, wider * _MOST_ROWS, share and wider == 1
        groups = grouped(sequences, kept) if share else grouped(sequences, [len(one) for one in sequences])
        begun = self.begun()
        for group in groups:
            rows = sorted(group.rows, key=lambda row: -len(sequences[row]))
            past = self._read(sequences[rows[0]][: group.shared], begun) if group.shared else begun
            start = 0
            while start < len(rows):
                longest = len(sequences[rows[start]])
                room = min(batch_tokens // (longest - group.shared), _REMEMBERED * batch_tokens // longest, most)
                part = tuple(rows[start : start + max(1, room)])
                start += len(part)
                yield Batch(part, group.shared, self._again(past, len(part)))

    def _read(self, tokens: list[int], begun: DynamicCache | None) -> DynamicCache:
        past = self._again(begun, 1)
        self.model(**self._inputs([tokens], 0), past_key_values=past, use_cache=True, logits_to_keep=1)
        return past

    def _again(self, past: DynamicCache | None, n_rows: int) -> DynamicCache:
        """What was read, for each of `n_rows` sequences; the original stays as it is."""
        if past is None:
            return DynamicCache(config=self.model.config)
        own = copy.deepcopy(past)
        own.batch_repeat_interleave(n_rows)
        return own

    def _inputs(self, rows: Sequence[Sequence[int]], read: int) -> dict[str, torch.Tensor]:
        """Tokens (B, longest) padded on the left, their positions after `read` tokens, and a mask over all of them."""
        read += self.virtual
        longest = max(map(len, rows))
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
        tokens = torch.tensor([[0] * (longest - len(row)) + list(row) for row in rows])
        inputs = {
            "input_ids": tokens,
            "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0) + read,
            "attention_mask": functional.pad(mask, (read, 0), value=1),
        }
        return {name: part.to(self.model.device) for name, part in inputs.items()}

    def _as_chat(self, text: str) -> str:
        turn = [{"role": "user", "content": text}]
        options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": False}
        return str(self.tokenizer.apply_chat_template(turn, **options))

    def _added_control(self) -> set[str]:
        return {token.content for token in self.tokenizer.added_tokens_decoder.values() if token.special}

    def _ends(self) -> set[int]:
        """Tokens that end an answer."""
        named = self.model.generation_config.eos_token_id
        several = named if isinstance(named, list) else [named]
        return {token for token in (*several, self.tokenizer.eos_token_id) if token is not None}


class _Head(torch.nn.Module):
    """A last layer whose weights, products and sums are fp32."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        bias = getattr(head, "bias", None)
        self.weight = torch.nn.Parameter(head.weight.detach().float(), requires_grad=False)
        self.bias = None if bias is None else torch.nn.Parameter(bias.detach().float(), requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.linear(hidden.float(), self.weight, self.bias)


def _next(inputs: dict[str, torch.Tensor], picked: Sequence[int]) -> dict[str, torch.Tensor]:
    """The inputs of the step after `picked` (B,) were written."""
    return {
        "input_ids": torch.tensor(picked, device=inputs["input_ids"].device)[:, None],
        "position_ids": inputs["position_ids"][:, -1:] + 1,
        "attention_mask": functional.pad(inputs["attention_mask"], (0, 1), value=1),
    }
