"""Dense text retrieval: items whose texts mean what the history, the wish or the person's own words mean."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from palate.config import option, options
from palate.contracts import Encoder, Source
from palate.data.dataset import Dataset
from palate.retrieve.approximate import Approximate, Codes, coded, searched
from palate.retrieve.axes import directions, project
from palate.retrieve.exact import LongestFirst
from palate.retrieve.history import history_matrix
from palate.retrieve.top import few_rows, fitted, product, retrieve_in_blocks
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.types import Bools, Floats, Ints, Queries, Slate
from palate.vectors import unit_rows


@options
class DenseConfig:
    centre: bool = option(True, "Take the items' mean vector away, which all texts share.")
    whiten: float = option(
        0.0, "Evens out the directions of the vectors: 0 not, 1 wholly; wants many more items than dimensions.",
        low=0.0, high=1.0, tries=(1.0,),
    )  # fmt: skip
    last: int = option(20, "History items used, the newest; 0 is all.", low=0)
    decay: float = option(
        1.0, "Weight of a history item relative to the next newer one.", low=0.0, high=1.0,
        tries=(0.6, 0.8, 0.9), asking=True,
    )  # fmt: skip
    focus: float = option(
        0.0, "How much more those history items count that are near the item asked about: 0 all alike, which is fast, "
        "4 somewhat, large only the nearest. Above 0 it takes as many times longer as a history has items.",
        low=0.0, high=50.0,
    )  # fmt: skip
    exact_up_to: int = option(
        50_000, "Items up to which every one is compared with a request; above, an index finds nearly the same ones "
        "much sooner, which needs the extra index.", low=16,
    )  # fmt: skip
    wish_weight: float = option(1.0, "Weight of the wish, where the history has 1.", low=0.0)
    declared_weight: float = option(0.3, "Weight of a known person's declared text, where the history has 1.", low=0.0)


@dataclass(frozen=True, eq=False)
class Dense:
    """Cosine between an item's text vector and the sum of what is known of the request.

    The parts of a request, each a unit vector: the mean of its history's item vectors, its wish, and the declared
    text of a known person. An item without text scores 0, as does everything where nothing is known. Whitening
    turns the item vectors to their principal axes and divides each by its deviation ** whiten.

    With `focus` f, a request of which only the history is known scores an item by log(sum of w * exp(f * cosine)) / f
    over the history, the weights w from `decay` and with sum 1: a soft maximum, which tends to the mean as f does to 0.

    vectors_: (n_items, dim) unit rows, zero where the item has no text
    mean_, axes_: (width,) and (width, dim), what is taken away from an encoded text and what it is multiplied by
    codes_: what an index of the vectors is made of; None where they are few, or none could be made
    declared_: (n_users + 1, dim) unit rows, empty where nothing is declared; the last row is the stranger's
    record: how the encoder came about where it was tuned, plain values
    """

    config: DenseConfig = DenseConfig()
    encoder: Encoder = field(kw_only=True)
    vectors_: Floats | None = None
    mean_: Floats | None = None
    axes_: Floats | None = None
    codes_: Codes | None = None
    declared_: sparse.csr_matrix | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    reads: ClassVar[frozenset[Source]] = frozenset({"history", "text"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        texts = item_texts(data.items)
        encoder = self.encoder.fit(texts, runtime)
        encoded = encoder.encode(texts, role="item")
        mean, axes = directions(encoded[encoded.any(axis=1)], centre=self.config.centre, whiten=self.config.whiten)
        vectors = project(encoded, mean, axes)
        people = encoder.encode((*data.users.text, ""), role="query")
        return replace(
            self,
            encoder=encoder,
            vectors_=vectors,
            mean_=mean,
            axes_=axes,
            codes_=coded(vectors, self.config.exact_up_to, runtime.rng("codes")),
            declared_=sparse.csr_matrix(project(people, mean, axes)),
        )

    def scores(self, queries: Queries) -> Floats:
        scores = product(self.asked(queries), fitted(self.vectors_, self).T)
        rows = np.flatnonzero(self._by_focus(queries))
        if len(rows):
            scores[rows] = self._focused(queries.take(rows))
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        fitted(self.vectors_, self)
        focused = self._by_focus(queries)
        if among is not None or focused.all():
            return retrieve_in_blocks(self.scores, queries, k, among)
        near = self._index.retrieve(self.asked, queries.take(np.flatnonzero(~focused)), k)
        if not focused.any():
            return near
        rows = np.argsort(focused, kind="stable")
        parts = [near, retrieve_in_blocks(self.scores, queries.take(np.flatnonzero(focused)), k)]
        return Slate.stack(parts, near.k).take(np.argsort(rows))

    @property
    def indexed(self) -> bool:
        """Whether lists come from an index, which does not tell the scores of all items."""
        n_items = len(fitted(self.vectors_, self))
        return n_items > self.config.exact_up_to and isinstance(self._index, Approximate)

    def spread(self, queries: Queries) -> tuple[Floats, Floats]:
        """(B, 1) the mean and the deviation of a request's scores over an indexed catalogue.

        A deviation is 0 where all scores are equal or the index does not answer.
        """
        asked, codes = self.asked(queries), fitted(self.codes_, self)
        asked[self._by_focus(queries)] = 0
        mean = asked @ codes.mean[:, None]
        square = np.sum(asked @ codes.square * asked, axis=1, keepdims=True)
        return mean, np.sqrt(np.maximum(square - mean**2, 0))

    def asked(self, queries: Queries) -> Floats:
        """(B, dim) what is known of the requests, unit rows; zero where nothing is."""
        vectors, declared, config = fitted(self.vectors_, self), fitted(self.declared_, self), self.config
        history = history_matrix(queries.histories, len(vectors), config.last, config.decay)
        wanted = unit_rows(history @ vectors)  # (B, dim)
        wanted += config.declared_weight * declared[queries.users].toarray()
        asking = np.flatnonzero(queries.has_wish)
        if len(asking):
            wishes = self.encoder.encode([queries.wishes[row] for row in asking], role="query")
            wanted[asking] += config.wish_weight * project(wishes, fitted(self.mean_, self), fitted(self.axes_, self))
        return unit_rows(wanted)

    def _by_focus(self, queries: Queries) -> Bools:
        """(B,) where a soft maximum decides: only a history is known, and of one item it is the mean."""
        if not self.config.focus:
            return np.zeros(len(queries), np.bool_)
        declared = fitted(self.declared_, self)[queries.users].getnnz(axis=1) > 0
        several: Bools = (queries.histories.lengths > 1) & ~queries.has_wish & ~declared
        return several

    def _focused(self, queries: Queries) -> Floats:
        """(B, n_items) soft maxima over the histories."""
        vectors, config = fitted(self.vectors_, self), self.config
        history = history_matrix(queries.histories, len(vectors), config.last, config.decay)
        heard, column = np.unique(history.indices, return_inverse=True)  # (M,) items that somebody had
        own = history.data / np.repeat(history.sum(axis=1).A1, np.diff(history.indptr))
        weights = sparse.csr_matrix((own, column, history.indptr), (len(queries), len(heard)))
        scores = np.zeros((len(queries), len(vectors)), np.float32)
        asking = config.focus * vectors[heard]
        for items in few_rows(len(vectors), len(heard)):
            near = product(asking, vectors[items].T)
            scores[:, items] = np.log(weights @ np.exp(near, out=near)) / config.focus
        return scores

    @cached_property
    def _index(self) -> LongestFirst | Approximate:
        return searched(fitted(self.vectors_, self), self.codes_, self.config.exact_up_to)
