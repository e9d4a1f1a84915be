"""A decoder language model on this machine: prompts to texts, and answers to log-probabilities.

The network is loaded when it is first asked; until then torch is not imported.
"""

import math
import threading
import zlib
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from palate.assets import KNOWN, fingerprint, fingerprint_of, in_folder, model_folder
from palate.config import option, options
from palate.errors import AssetError, ConfigError, MissingExtraError
from palate.runtime import log
from palate.types import Floats

if TYPE_CHECKING:
    from palate.generate.causal import CausalNetwork, Pick

DEFAULT_MODEL = "smollm2-135m-instruct"

_CHARS_PER_TOKEN = 32  # a longer prompt is refused before it is tokenized


@options
class LocalGeneratorConfig:
    model: str = option(DEFAULT_MODEL, "A known model, a folder with safetensors or a hub id.")
    adapter: str = option("", "A folder with a tuned part of that model (see `palate tune llm`); empty for none.")
    max_prompt_tokens: int = option(2048, "Tokens of a prompt and an answer beyond which it is refused.", low=8)
    batch_tokens: int = option(2048, "Tokens that go through the network at once.", low=1)
    dtype: str = option(
        "auto", "Arithmetic; auto is bf16 where the processor has it.", choices=("auto", "fp32", "bf16")
    )
    share: bool = option(True, "Read a beginning that several prompts share once.")
    temperature: float = option(0.0, "How freely texts are written; 0 takes the likeliest token.", low=0.0, high=5.0)
    top_p: float = option(0.9, "Only the likeliest tokens up to this mass are drawn from.", low=0.01, high=1.0)
    seed: int = option(0, "Seed of what is drawn; every prompt has a stream of its own.", low=0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What goes through a network so that it tells log-probabilities; see `CausalNetwork.score`.

    cells: per sequence the number of its prompt, and the answers, by number, whose last tokens are its targets.
    """

    sequences: list[list[int]]
    targets: list[list[list[int]]]
    cells: list[tuple[int, list[int]]]


@dataclass(frozen=True, eq=False)
class LocalGenerator:
    """A causal language model through transformers, in the chat template where it has one.

    Batches are sorted by length and padded on the left; what prompts begin with alike is read once. With or without
    that, and in whatever batch, a log-probability agrees to within 1e-3 in fp32; in bf16, where sums run in another
    order, to within .25 (SmolLM2, six prompts: .03 on average, .10 at most), so that near-equal answers may change
    places. May be asked from several threads; they take turns.

    part_: a tuned part, packed by `palate.tuning.packed`, which a saved model holds; empty for none, or for that in the
        folder which the options name
    """

    config: LocalGeneratorConfig = LocalGeneratorConfig()
    part_: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @cached_property
    def identity(self) -> str:
        config = self.config
        drawn = f" {config.temperature} {config.top_p} {config.seed}" if config.temperature else ""
        part = fingerprint_of(self.part_) if self.part_ else fingerprint(self._adapter) if self._adapter else ""
        tuned = f" tuned {part[:16]}" if part else ""
        return f"{config.model} {fingerprint(_folder(config.model))[:16]}{tuned}{drawn}"

    def generate(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        network, config = self._network, self.config
        with self._turn:
            tokens = self._tokens(prompts, max_tokens)
            return [
                network.text(one)
                for one in network.write(tokens, max_tokens, self._pick(prompts), config.batch_tokens, config.share)
            ]

    def score(self, prompts: Sequence[str], answers: Sequence[str]) -> Floats:
        network, distinct = self._network, list(dict.fromkeys(prompts))
        with self._turn:
            asked = self.asked(distinct, answers)
            told = network.score(asked.sequences, asked.targets, self.config.batch_tokens, self.config.share)
        found = np.zeros((len(distinct), len(answers)), np.float32)
        for (row, columns), values in zip(asked.cells, told, strict=True):
            found[row, columns] = values
        rows = {prompt: row for row, prompt in enumerate(distinct)}
        return found[[rows[prompt] for prompt in prompts]]

    def asked(self, prompts: Sequence[str], answers: Sequence[str]) -> Asked:
        """The tokens of prompts and answers; raises ConfigError where they are too many, or an answer has none."""
        ends = self._network.answers(answers)
        for answer, end in zip(answers, ends, strict=True):
            if not end:
                raise ConfigError(f'LocalGenerator.score: the answer "{answer}" has no tokens; give a word')
        tokens = self._tokens(prompts, max(map(len, ends), default=0))
        stems = _by_stem(ends).items()
        cells = [(row, stem, columns) for stem, columns in stems for row in range(len(tokens))]
        return Asked(
            [[*tokens[row], *stem] for row, stem, _ in cells],
            [[ends[column] for column in columns] for _, _, columns in cells],
            [(row, columns) for row, _, columns in cells],
        )

    def open(self) -> "CausalNetwork":
        """The network, with its tuned part if it has one; raises AssetError or StoreError where it cannot be had."""
        try:
            from palate.generate.causal import CausalNetwork  # torch takes seconds to load
        except ImportError as error:
            raise MissingExtraError(f'LocalGenerator: no package {error.name}; pip install "palate[llm]"') from None
        log.info("opening %s", self.config.model)
        with in_folder(self.part_) if self.part_ else nullcontext(self._adapter) as adapter:
            return CausalNetwork.open(_folder(self.config.model), self.config.dtype, adapter)

    def holding(self, network: "CausalNetwork") -> Self:
        """The same, answering by a network that is open already."""
        held = replace(self)
        vars(held)["_network"] = network
        return held

    def _tokens(self, prompts: Sequence[str], more: int) -> list[list[int]]:
        """Each prompt's tokens; raises ConfigError where they and `more` are too many."""
        most = min(self.config.max_prompt_tokens, self._network.longest)
        for prompt in prompts:
            if len(prompt) > most * _CHARS_PER_TOKEN:
                raise ConfigError(self._too_long(f"{len(prompt):,} characters", most))
        tokens = self._network.prompts(prompts)
        longest = max(map(len, tokens), default=0) + more
        if longest > most:
            raise ConfigError(self._too_long(f"{longest:,} tokens with its answer", most))
        return tokens

    def _too_long(self, size: str, most: int) -> str:
        return (
            f"LocalGenerator: a prompt has {size}, where {self.config.model} is given {most:,} tokens; "
            "shorten histories and texts, or raise max_prompt_tokens as far as the model reads"
        )

    def _pick(self, prompts: Sequence[str]) -> "Pick":
        """The likeliest token, or one drawn with a stream of the prompt's own."""
        config = self.config
        if not config.temperature:
            return lambda row, logits: int(logits.argmax())
        streams = [
            np.random.default_rng([config.seed, zlib.crc32(one.encode("utf8", "surrogatepass"))]) for one in prompts
        ]
        return lambda row, logits: _drawn(logits, config.temperature, config.top_p, streams[row].random())

    @cached_property
    def _network(self) -> "CausalNetwork":
        with self._turn:
            return self.open()

    @property
    def _adapter(self) -> Path | None:
        if not self.config.adapter:
            return None
        folder = Path(self.config.adapter)
        if not folder.is_dir():
            raise AssetError(f"{folder}: the tuned part of {self.config.model} is missing; restore it or tune again")
        return folder


def _folder(model: str) -> Path:
    """The folder with a model's safetensors; a known model in another format is converted once."""
    folder = model_folder(model)
    if any(folder.glob("*.safetensors")):
        return folder
    if model not in KNOWN:
        raise AssetError(f"{folder}: holds no *.safetensors; save the model in that format")
    try:
        from palate.encode.convert import language_model
    except ImportError as error:
        raise MissingExtraError(f'{model}: no package {error.name} to read it; pip install "palate[llm]"') from None
    return language_model(model)


def _by_stem(ends: Sequence[list[int]]) -> dict[tuple[int, ...], list[int]]:
    """Answers by all their tokens but the last, which one pass through the network can tell apart."""
    stems: dict[tuple[int, ...], list[int]] = {}
    for column, end in enumerate(ends):
        stems.setdefault(tuple(end[:-1]), []).append(column)
    return stems


def _drawn(logits: Any, temperature: float, top_p: float, chance: float) -> int:
    """The token at `chance` in [0, 1) of the mass of the likeliest tokens."""
    values = logits.double().cpu().numpy() / temperature
    order = np.argsort(-values, kind="stable")
    mass = np.exp(values[order] - values[order[0]])
    sums = np.cumsum(mass / mass.sum())
    n_kept = int(np.searchsorted(sums, min(top_p, math.nextafter(1, 0)))) + 1
    return int(order[min(int(np.searchsorted(sums[:n_kept], chance * sums[:n_kept][-1], side="right")), n_kept - 1)])
