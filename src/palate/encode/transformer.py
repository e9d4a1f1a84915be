"""Texts to vectors by a pretrained text encoder, each distinct text once, remembered on disk.

The network is loaded for the first text that is not remembered: a run without new texts never imports torch.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from palate.assets import fingerprint, fingerprint_of, model_folder, same_model
from palate.config import option, options
from palate.encode.cache import remembered
from palate.errors import MissingExtraError, NotFittedError
from palate.exported.rounding import ROUNDING
from palate.runtime import Runtime, log
from palate.types import Floats

if TYPE_CHECKING:
    from palate.encode.forward import Network
    from palate.encode.onnx import Vectors
    from palate.exported.graph import Precision


@options
class TransformerConfig:
    model: str = option("all-minilm-l6-v2", "A known model, a folder in sentence-transformers' layout or a hub id.")
    max_tokens: int = option(256, "Tokens after which a text is cut, at most what the model can read.", low=4)
    max_chars: int = option(2000, "Characters after which a text is cut, before it is tokenized.", low=1)
    batch_tokens: int = option(1024, "Tokens that go through the network at once.", low=1)
    dtype: str = option(
        "auto",
        "Arithmetic; auto is bf16 where the processor has it, int8 is read by ONNX Runtime on the processor.",
        choices=("auto", "fp32", "bf16", "int8"),
    )
    query_prompt: str = option("", 'What the model wants before a query, "query: " for E5.')
    item_prompt: str = option("", 'What the model wants before an item, "passage: " for E5.')
    cache: bool = option(True, "Remember vectors on disk, by content.")


@dataclass(frozen=True, eq=False)
class TransformerEncoder:
    """A pretrained encoder as it is, through sentence-transformers (pooling and norms are the model's own).

    In bf16 a vector agrees with fp32 to a cosine of .9999 and, because sums run in another order, with itself in
    another batch to within 1e-2 in each place; in fp32 to within 1e-5. In int8 the network is exported once, into the
    cache, and a vector agrees with fp32 to a cosine of about .999 (MiniLM), and with itself in another batch to
    within 1e-2 (measured: 1e-7), as each token has a scale of its own. A saved model holds the fingerprint of the
    encoder's files and refuses others. May be asked from several threads; they take turns.

    fingerprint_: sha256 over the model's weights, tokenizer and settings
    dim_: width of the vectors
    part_: what tuning changed, packed by `palate.tuning.packed`; empty where the model is as it was published
    """

    config: TransformerConfig = TransformerConfig()
    fingerprint_: str | None = None
    dim_: int | None = None
    part_: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def fit(self, texts: Sequence[str], runtime: Runtime) -> Self:
        """The model found, fetched if need be, and identified; nothing is learned."""
        known = replace(self, fingerprint_=fingerprint(model_folder(self.config.model)))
        return replace(known, dim_=known._vectors(["a"]).shape[1])

    def encode(self, texts: Sequence[str], *, role: Literal["query", "item"]) -> Floats:
        if self.dim_ is None:
            raise NotFittedError("TransformerEncoder: fit it first, which finds and identifies the model")
        cut = [text[: self.config.max_chars].strip() for text in texts]
        prompt = self.config.query_prompt if role == "query" else self.config.item_prompt
        said = np.array([bool(text) for text in cut], np.bool_)
        vectors = np.zeros((len(texts), self.dim_), np.float32)
        if said.any():
            vectors[said] = self._vectors([prompt + text for text in cut if text])
        return vectors

    def _vectors(self, texts: list[str]) -> Floats:
        """(N, dim) for N >= 1 texts with their prompts, none of them empty."""
        arithmetic = f"int8 {ROUNDING}" if self.config.dtype == "int8" else self.config.dtype
        space = f"{self._identified} {self.config.max_tokens} {arithmetic}{self._part}"
        return remembered(space, texts, self._computed, keep=self.config.cache)

    def _computed(self, texts: list[str]) -> Floats:
        with self._turn:
            log.debug("encoding %d texts with %s", len(texts), self.config.model)
            return self._network.encode(texts, self.config.batch_tokens)

    @cached_property
    def _network(self) -> "Network | Vectors":
        return self._graph() if self.config.dtype == "int8" else self.open()

    def export(self, out: Path, precision: "Precision") -> Mapping[str, Any]:
        """Write it to a new folder for ONNX Runtime, see `palate.encode.onnx_export.export`."""
        try:
            from palate.encode.onnx_export import export  # torch takes seconds to load
        except ImportError as error:
            raise MissingExtraError(f'export: no package {error.name}; pip install "palate[onnx]"') from None
        about = {"model": self._identified, "part": self._part.strip()}
        return export(replace(self, config=replace(self.config, dtype="fp32")).open(), out, precision, about)

    def _graph(self) -> "Vectors":
        """The network in int8, exported into the cache when it is first asked for."""
        try:
            from palate.encode.onnx import Vectors  # optional
            from palate.exported.graph import cached
        except ImportError as error:
            raise MissingExtraError(
                f'TransformerEncoder: no package {error.name}; pip install "palate[onnx]"'
            ) from None
        key = f"{self._identified} {self.config.max_tokens}{self._part}"
        folder = cached(key, self.config.model, lambda out: self.export(out, "int8"))
        return Vectors.open(folder, self.config.max_tokens)

    def open(self) -> "Network":
        """The network in torch, with the tuned part."""
        try:
            from palate.encode.forward import Network  # torch takes seconds to load
        except ImportError as error:
            raise MissingExtraError(
                f'TransformerEncoder: no package {error.name}; pip install "palate[text]"'
            ) from None
        network = Network.open(model_folder(self.config.model), self.config.max_tokens, self.config.dtype)
        return network.with_part(self.part_) if self.part_ else network

    @cached_property
    def _part(self) -> str:
        return f" {fingerprint_of(self.part_)}" if self.part_ else ""

    @cached_property
    def _identified(self) -> str:
        """The model's fingerprint; raises AssetError where its files are not those that this was fitted with."""
        same_model(self.config.model, self.fingerprint_, what="encoder", of="model")
        return str(self.fingerprint_)
