"""A slate in the order of a transformer that reads each person's text together with each item's.

Torch loads when the first slate is put in order, in int8 never but for the export.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from palate.assets import fingerprint, fingerprint_of, model_folder, same_model
from palate.config import option, options
from palate.data.dataset import Catalogue
from palate.errors import MissingExtraError
from palate.rank.features import ordered
from palate.text.render import RenderConfig, history_texts, item_texts
from palate.tuning.methods import MethodConfig
from palate.types import NO_ITEM, Bools, Floats, Queries, Slate

if TYPE_CHECKING:
    from palate.exported.graph import Precision
    from palate.rank.onnx import Pairs
    from palate.rank.reader import Reader


@options
class CrossEncoderConfig:
    model: str = option("all-minilm-l6-v2", "A known model, a folder in transformers' layout or a hub id.")
    max_tokens: int = option(256, "Tokens after which a pair is cut, at most what the model can read.", low=8)
    batch_tokens: int = option(2048, "Tokens that go through the network at once.", low=1)
    dtype: str = option(
        "auto",
        "Arithmetic; auto is bf16 where the processor has it, int8 is read by ONNX Runtime on the processor.",
        choices=("auto", "fp32", "bf16", "int8"),
    )
    candidates: int = option(20, "Candidates of a list that are read, the first; the others keep their places.", low=2)
    last: int = option(10, "Liked titles in a person's text, the newest.", low=1)
    history_chars: int = option(600, "Characters after which a person's text is cut, the oldest first.", low=1)
    item_chars: int = option(400, "Characters after which an item's text is cut.", low=1)


@dataclass(frozen=True, eq=False)
class CrossEncoder:
    """Candidates by a transformer over (person, item), beside the score that the slate brought.

    The score of a candidate is what the transformer says plus, as much as training found it worth, the slate's own
    score, standardised within what is read of the list; candidates that are not read follow below. Requests with a wish
    or without a history keep their order, and so does everybody where training brought nothing better. In bf16 a score
    hangs a little on what else is in its batch. In int8 the network is exported once, into the cache; a score is the
    same in another batch to within 1e-2, as each token has a scale of its own. A saved ranker holds the weights that
    learned and the fingerprint of the model they belong to, and refuses another. May be asked from several threads;
    they take turns.

    Reference: Nogueira and Cho (2019), Passage re-ranking with BERT, arXiv:1901.04085; made by `palate.train.ranker`.

    fingerprint_: sha256 over the pretrained model's weights, tokenizer and settings
    method_: by which method it was tuned, and with which options
    weights_: the weights that learned by name; none where the slate's order is kept
    titles_, texts_: (n_items) what is read of items in a history, and of a candidate
    record_: what training measured
    """

    config: CrossEncoderConfig = CrossEncoderConfig()
    fingerprint_: str | None = None
    method_: MethodConfig = MethodConfig(method="head")
    weights_: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    titles_: tuple[str, ...] = ()
    texts_: tuple[str, ...] = ()
    record_: Mapping[str, Any] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def about(self, items: Catalogue) -> Self:
        """The same over the items of a catalogue."""
        return replace(
            self, titles_=items.title, texts_=item_texts(items, RenderConfig(max_chars=self.config.item_chars))
        )

    def identified(self) -> Self:
        """The same with the fingerprint of the model that its name leads to, fetched if need be."""
        return replace(self, fingerprint_=fingerprint(model_folder(self.config.model)))

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        first = slate.top(self.config.candidates)
        own = ordered(queries, first)
        if not self.weights_ or not own.any():
            return slate
        people, items, prior = self.pairs(queries, first, own)
        told = np.flatnonzero(np.any(own, axis=1))
        scores = np.where(own, 0, first.scores).astype(np.float32)
        scores[own] = self.scores(people, items, prior)
        best = Slate.best(first.items[told], scores[told], first.k)
        found, placed = slate.items.copy(), slate.scores.copy()
        found[told, : first.k], placed[told, : first.k] = best.items, best.scores
        placed[told, first.k :] = _below(best.scores[:, -1:], slate.scores[told, first.k :])
        signals = slate.signals and slate.signals.of(slate.items, found)
        return Slate(found, placed, signals)

    def pairs(self, queries: Queries, slate: Slate, own: Bools) -> tuple[list[str], list[str], Floats]:
        """Person's text, item's text and standardised score of each marked (B, K) candidate, row by row."""
        limits = RenderConfig(last=self.config.last, max_chars=self.config.history_chars)
        people = history_texts(queries.histories, self.titles_, limits)
        rows, _ = np.nonzero(own)
        texts = [self.texts_[item] for item in slate.items[own]]
        return [people[row] for row in rows], texts, standardised(slate)[own]

    def scores(self, people: Sequence[str], items: Sequence[str], prior: Floats) -> Floats:
        """(N,) the score of each pair of texts."""
        with self._turn:
            return self._reader.read(people, items, prior, self.config.batch_tokens)

    def export(self, out: Path, precision: "Precision") -> Mapping[str, Any]:
        """Write it to a new folder for ONNX Runtime, see `palate.rank.onnx_export.export`."""
        try:
            from palate.rank.onnx_export import export  # torch takes seconds to load
        except ImportError as error:
            raise MissingExtraError(f'export: no package {error.name}; pip install "palate[onnx]"') from None
        about = {"model": self.fingerprint_, "part": self._part}
        return export(replace(self, config=replace(self.config, dtype="fp32")).open(), out, precision, about)

    def open(self) -> "Reader":
        """The pretrained network with these weights; raises AssetError where its files are not those trained with,
        StoreError where the weights have no place in it."""
        folder = same_model(self.config.model, self.fingerprint_, what="model", of="ranker")
        try:
            from palate.rank.reader import Reader  # torch takes seconds to load

            reader = Reader.open(folder, self.config.max_tokens, self.config.dtype)
            return reader.learning(self.method_).with_weights(self.weights_)
        except ImportError as error:
            extra = "train" if error.name == "peft" else "text"
            raise MissingExtraError(f'CrossEncoder: no package {error.name}; pip install "palate[{extra}]"') from None

    @cached_property
    def _reader(self) -> "Reader | Pairs":
        return self._exported() if self.config.dtype == "int8" else self.open()

    def _exported(self) -> "Pairs":
        """The network in int8, exported into the cache when it is first asked for."""
        try:
            from palate.exported.graph import cached  # optional
            from palate.rank.onnx import Pairs
        except ImportError as error:
            raise MissingExtraError(f'CrossEncoder: no package {error.name}; pip install "palate[onnx]"') from None
        same_model(self.config.model, self.fingerprint_, what="model", of="ranker")
        key = f"ranker {self.fingerprint_} {self.config.max_tokens} {self._part}"
        folder = cached(key, self.config.model, lambda out: self.export(out, "int8"))
        return Pairs.open(folder, self.config.max_tokens)

    @cached_property
    def _part(self) -> str:
        """A hash of what was tuned, and how."""
        return fingerprint_of({**self.weights_, "method": np.array(repr(self.method_))})


def _below(least: Floats, scores: Floats) -> Floats:
    """(B, K) scores moved so that the first of each row is the `least` (B, 1) score above them; -inf stays."""
    padded = np.isinf(scores)
    first = np.where(padded[:, :1], 0, scores[:, :1])
    return np.where(padded, scores, np.where(padded, 0, scores) - first + np.where(padded[:, :1], 0, least))


def standardised(slate: Slate) -> Floats:
    """(B, K) scores with mean 0 and standard deviation 1 within each list; 0 where padded or where all are equal.

    >>> slate = Slate(np.array([[4, 2, -1]], np.int32), np.array([[3, 1, -np.inf]], np.float32))
    >>> standardised(slate)
    array([[ 1., -1.,  0.]], dtype=float32)
    """
    real = slate.items != NO_ITEM
    counts = np.maximum(real.sum(axis=1, keepdims=True), 1)
    scores = np.where(real, slate.scores, 0).astype(np.float64)
    far = np.where(real, scores - scores.sum(axis=1, keepdims=True) / counts, 0)
    spread = np.sqrt((far**2).sum(axis=1, keepdims=True) / counts)
    found: Floats = np.divide(far, spread, out=np.zeros_like(far), where=spread > 0).astype(np.float32)
    return found
