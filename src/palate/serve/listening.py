"""A model's stages to the same for a service: encoders remember in memory alone what was lately asked, and encoders and
cross-encoders may read in int8."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from cachetools import LRUCache

from palate.contracts import Encoder
from palate.encode.joined import JoinedEncoder
from palate.encode.transformer import TransformerEncoder
from palate.pipeline import Recommender
from palate.rank.cross import CrossEncoder
from palate.runtime import Runtime
from palate.types import Floats

LATELY = 20_000  # texts, about 30 MB at 384 dimensions


@dataclass(frozen=True, eq=False)
class Listening:
    """An encoder that computes a person's words once while they are remembered, and writes them nowhere.

    What people ask is theirs: the file of vectors that `TransformerEncoder` keeps is for items.

    arithmetic: of what people ask, "as-trained" or "int8", which only a `TransformerEncoder` has; items stay as trained
    """

    encoder: Encoder
    arithmetic: str = "as-trained"
    _known: LRUCache[str, Floats] = field(default_factory=lambda: LRUCache(LATELY), init=False, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def fit(self, texts: Sequence[str], runtime: Runtime) -> Self:
        return replace(self, encoder=self.encoder.fit(texts, runtime))

    def encode(self, texts: Sequence[str], *, role: Literal["query", "item"]) -> Floats:
        if role == "item":
            return self.encoder.encode(texts, role=role)
        with self._turn:
            found = {text: self._known[text] for text in set(texts) if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        if missing:
            found |= dict(zip(missing, self._hearing.encode(missing, role=role), strict=True))
            with self._turn:
                self._known.update({text: found[text] for text in missing})
        return np.stack([found[text] for text in texts])

    @cached_property
    def _hearing(self) -> Encoder:
        if self.arithmetic == "int8" and isinstance(self.encoder, TransformerEncoder):
            return replace(self.encoder, config=replace(self.encoder.config, dtype="int8"))
        return self.encoder


def listening(stages: Any, arithmetic: str = "as-trained", known: dict[int, Listening] | None = None) -> Any:
    """The same stages, each encoder in them listening; one that several stages share stays shared."""
    known = {} if known is None else known
    if isinstance(stages, tuple):
        return tuple(listening(one, arithmetic, known) for one in stages)
    if not is_dataclass(stages) or isinstance(stages, type):
        return stages
    changes: dict[str, Any] = {}
    for one in fields(stages):
        value = getattr(stages, one.name)
        if one.name == "encoder" and value is not None:
            changes[one.name] = _heard(value, arithmetic, known)
        elif one.init and (isinstance(value, tuple) or is_dataclass(value)):
            found = listening(value, arithmetic, known)
            if found is not value and found != value:
                changes[one.name] = found
    return replace(stages, **changes) if changes else stages


def _heard(encoder: Encoder, arithmetic: str, known: dict[int, Listening]) -> Encoder:
    if isinstance(encoder, JoinedEncoder):
        return replace(encoder, encoders=tuple(_heard(one, arithmetic, known) for one in encoder.encoders))
    if id(encoder) not in known:
        known[id(encoder)] = Listening(_unwritten(encoder), arithmetic)
    return known[id(encoder)]


def reading(recommender: Recommender, arithmetic: str) -> Recommender:
    """The same stages, each cross-encoder in them reading in that arithmetic, "as-trained" or "int8"."""
    if arithmetic == "as-trained":
        return recommender
    rankers = tuple(
        replace(one, config=replace(one.config, dtype=arithmetic)) if isinstance(one, CrossEncoder) else one
        for one in recommender.rankers
    )
    lists = reading(recommender.lists, arithmetic) if recommender.lists else None
    return replace(recommender, rankers=rankers, lists=lists)


def _unwritten(encoder: Encoder) -> Encoder:
    if isinstance(encoder, TransformerEncoder):
        return replace(encoder, config=replace(encoder.config, cache=False))
    return encoder
