"""The text-aware sequence model, fitted: what comes next after a history, and after words.

`palate.train.sequence` fits it; nothing here trains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from palate.config import option, options
from palate.contracts import Encoder, Source
from palate.errors import MissingExtraError
from palate.retrieve.axes import project
from palate.retrieve.top import product, retrieve_in_blocks
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate
from palate.vectors import unit_rows


@options
class SequenceConfig:
    backbone: str = option("sasrec", "Network over the history: attention or recurrent.", choices=("sasrec", "gru"))
    dim: int = option(128, "Width of item vectors and states.", low=2)
    layers: int = option(1, "Layers of the network.", low=1)
    heads: int = option(2, "Attention heads of a layer; must divide dim (sasrec).", low=1)
    length: int = option(50, "Events of a history that are read, the newest.", low=1)
    temperature: float = option(0.07, "Cosines are divided by it; 0 scores by dot product.", low=0.0)


@dataclass(frozen=True, eq=False)
class Sequence:
    """How well an item's vector agrees with the state that a network reached over the history.

    Item vectors are the sum of an id, a text and an attribute part, the same at input and output. A wish is an event
    after the last one, made of its text alone. Without a history or a wish everything scores 0. Items that were
    never trained on are their text and attributes; their scores are stretched and moved to stand fairly among the
    others.

    References: Kang and McAuley (2018), Self-attentive sequential recommendation, ICDM; Hidasi et al. (2016),
    Session-based recommendations with recurrent neural networks, ICLR; Klenitskiy and Vasilev (2023), Turning dross
    into gold loss, RecSys, on the full softmax that it is trained with.

    items: (n_items, dim) item vectors
    cold: (n_items,) marks those that were never trained on
    stretch, shift: a cold item's score is stretch * (state . item) + shift
    network: weights by name
    mean, axes: make an encoded text a unit row (T,) (see `project`)
    content: (T + V, dim) what that row, and the row of attributes after it, are multiplied by
    silence: (dim,) the vector of an item of which nothing is known
    """

    config: SequenceConfig
    encoder: Encoder = field(kw_only=True)
    items: Floats = field(kw_only=True)
    cold: Bools = field(kw_only=True)
    stretch: float = field(kw_only=True)
    shift: float = field(kw_only=True)
    network: Mapping[str, np.ndarray[Any, Any]] = field(kw_only=True)
    mean: Floats = field(kw_only=True)
    axes: Floats = field(kw_only=True)
    content: Floats = field(kw_only=True)
    silence: Floats = field(kw_only=True)

    reads: ClassVar[frozenset[Source]] = frozenset({"history", "text"})

    def scores(self, queries: Queries) -> Floats:
        scores = np.zeros((len(queries), len(self.items)), np.float32)
        told = np.flatnonzero(queries.has_history | queries.has_wish)
        if len(told):
            found = product(self.states(queries.take(told)), self.directions.T)
            found[:, self.cold] = found[:, self.cold] * np.float32(self.stretch) + np.float32(self.shift)
            scores[told] = found
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)

    def states(self, queries: Queries) -> Floats:
        """(B, dim) what the history and the wish lead to, each request with at least one of them."""
        wishing = queries.has_wish
        histories = queries.histories
        read = histories.where(histories.ages < self.config.length - wishing[histories.row_of])
        grid, lengths = read.padded(), read.lengths + wishing
        events = np.zeros((len(queries), int(lengths.max()), self.config.dim), np.float32)
        events[:, : grid.shape[1]] = np.where(grid[:, :, None] == NO_ITEM, 0, self.items[grid])
        if wishing.any():
            wishes = [queries.wishes[row] for row in np.flatnonzero(wishing)]
            events[wishing, read.lengths[wishing]] = self.heard(wishes)
        states = self._after(events, lengths)
        return unit_rows(states) / np.float32(self.config.temperature) if self.config.temperature else states

    def heard(self, texts: list[str]) -> Floats:
        """(N, dim) free texts as the vectors of items that have nothing else."""
        encoded = self.encoder.encode(texts, role="query")
        rows = project(encoded, self.mean, self.axes)
        return product(rows, self.content[: rows.shape[1]]) + self.silence

    @cached_property
    def directions(self) -> Floats:
        """(n_items, dim) what states are compared with."""
        return unit_rows(self.items) if self.config.temperature else self.items

    @cached_property
    def _after(self) -> Callable[[Floats, Longs], Floats]:
        """Events (B, L, dim) and their numbers (B,) to states (B, dim)."""
        try:
            from palate.retrieve.backbone import backbone, last_states, with_weights  # torch takes seconds to load
        except ImportError as error:
            raise MissingExtraError(f'Sequence: no package {error.name}; pip install "palate[text]"') from None
        one = self.config
        made = backbone(one.backbone, dim=one.dim, layers=one.layers, heads=one.heads, length=one.length)
        return partial(last_states, with_weights(made, self.network))
