"""A slate to the same items in a new order: less alike, closer to the user's own mix, less popular."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from palate.config import option, options
from palate.contracts import Encoder
from palate.data.dataset import Dataset
from palate.errors import ConfigError, NotFittedError
from palate.rank.mix import Mix
from palate.rank.values import value_shares
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate
from palate.vectors import unit_rows

STRENGTHS = ("mmr", "calibrate", "popularity_damping")
BLOCK = 64  # requests rebuilt at once: their similarities are (64, K, K)


@options
class DiversifyConfig:
    mmr: float = option(0.0, "Weight of being unlike the places above: 0 is off, 1 nothing else.", low=0.0, high=1.0)
    alike: str = option("text", "What makes two items alike.", choices=("text", "attribute"))
    calibrate: float = option(
        0.0, "Weight of the user's own mix of the attribute's values: 0 is off, 1 nothing else.", low=0.0, high=1.0
    )
    attribute: str = option("tags", "The tags or attribute of the items whose values count, several between , ; or |.")
    popularity_damping: float = option(
        0.0, "What the most popular item loses, where the best candidate has 1 and the last 0.", low=0.0, high=1.0
    )
    depth: int = option(50, "How many places are rebuilt, from the first; the rest keep their order.", low=1)


@dataclass(frozen=True, eq=False)
class Diversify:
    """Builds the first places of a list anew, one by one, each time taking the candidate with the most to gain.

    worth(i) = relevance(i) - popularity_damping * log(1 + likes(i)) / log(1 + likes of the most liked item)
    gain(i) = (1 - calibrate) * ((1 - mmr) * worth(i) - mmr * max over the places above of cos(i, place))
              - calibrate * KL(the history's mix, the mix of the places above and i)

    Relevance is the slate's score, stretched per request to 1 for the best candidate and 0 for the last. Cosines are
    between centred text vectors, or between the items' sets of attribute values; the first place has none above it.
    An item's mix gives each of its values the same share; a history's and a list's mix are means over their items.
    KL(p, q) = sum p log(p / (.99 q + .01 p)). Without a history nothing is calibrated. Equal gains keep the order.

    Scores belong to places afterwards: the n-th place carries the n-th best score that the slate brought. They are no
    longer the item's own, and never rise. With all strengths at 0 the slate is returned as it came.

    Reference: Carbonell and Goldstein (1998), SIGIR, MMR; Steck (2018), RecSys, Calibrated recommendations, sections 3
    and 4, without weights by rank. The damping is ours.

    encoder: what reads the texts, needed only for `mmr` by text
    vectors_: (n_items, dim) unit rows, for `mmr`
    shares_: (n_items, n_values) for `calibrate`
    fame_: (n_items,) logarithms of likes, 1 the largest, for `popularity_damping`
    """

    config: DiversifyConfig = DiversifyConfig()
    encoder: Encoder | None = None
    vectors_: Floats | sparse.csr_matrix | None = None
    shares_: sparse.csr_matrix | None = None
    fame_: Floats | None = None

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        config = self.config
        by_value = config.calibrate or (config.mmr and config.alike == "attribute")
        shares = value_shares(data.items, config.attribute) if by_value else None
        return replace(
            self,
            encoder=None,
            vectors_=self._vectors(data, shares, runtime) if config.mmr else None,
            shares_=shares if config.calibrate else None,
            fame_=_fame(data) if config.popularity_damping else None,
        )

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        config = self.config
        asked = {"vectors_": config.mmr, "shares_": config.calibrate, "fame_": config.popularity_damping}
        if not any(asked.values()) or not slate.items.size:
            return slate
        if any(strength and getattr(self, name) is None for name, strength in asked.items()):
            raise NotFittedError("Diversify: asked before it was fitted; call fit(data, runtime) first")
        blocks = [slice(start, start + BLOCK) for start in range(0, len(slate), BLOCK)]
        parts = [self._rebuilt(queries.take(rows), slate.items[rows], slate.scores[rows]) for rows in blocks]
        return Slate(np.concatenate([slate.items[:0], *parts]), slate.scores)

    def _vectors(self, data: Dataset, shares: sparse.csr_matrix | None, runtime: Runtime) -> Floats | sparse.csr_matrix:
        """(n_items, dim) unit rows: of the values each item has, or of its text less what all texts share."""
        if shares is not None and self.config.alike == "attribute":
            lengths = np.sqrt(np.asarray(shares.multiply(shares).sum(axis=1)).ravel())
            return sparse.csr_matrix(
                sparse.diags_array(1 / np.where(lengths > 0, lengths, 1)) @ shares, dtype=np.float32
            )
        if self.encoder is None:
            raise ConfigError('Diversify: mmr by text needs an encoder; give one, or set alike = "attribute"')
        texts = item_texts(data.items)
        encoded = self.encoder.fit(texts, runtime).encode(texts, role="item")
        told = encoded.any(axis=1, keepdims=True)
        return unit_rows(np.where(told, encoded - encoded.mean(axis=0, where=told), 0))

    def _rebuilt(self, queries: Queries, items: Ints, scores: Floats) -> Ints:
        """(B, K) the items in their new order."""
        config, real, every = self.config, items != NO_ITEM, np.arange(len(items))
        worth = relevance(scores, real)
        if self.fame_ is not None:
            worth = worth - config.popularity_damping * self.fame_[items]
        near = similarities(self.vectors_, items) if self.vectors_ is not None else None  # (B, K, K)
        mix = Mix.of(queries, items, self.shares_) if self.shares_ is not None else None
        depth = min(config.depth, items.shape[1])
        order = np.zeros((len(items), depth), np.int64)
        left = np.ones(items.shape, np.bool_)
        closest = np.zeros(items.shape, np.float32)  # (B, K) the cosine to the nearest place above
        for place in range(depth):
            gain = (1 - config.mmr) * worth - config.mmr * closest
            if mix is not None:
                gain = (1 - config.calibrate) * gain + config.calibrate * mix.fall(place)
            order[:, place] = pick = _first_best(gain, real, left)
            left[every, pick] = False
            if near is not None:
                closest = np.maximum(closest, near[every, pick]) if place else near[every, pick]
            if mix is not None:
                mix = mix.with_shown(pick)
        rest = np.nonzero(left)[1].reshape(len(items), items.shape[1] - depth)
        return np.take_along_axis(items, np.hstack([order, rest]), axis=1)


def relevance(scores: Floats, real: Bools) -> Floats:
    """(B, K) scores stretched to 1 for the best of each row and 0 for the last; a row of equal scores is 0.

    >>> relevance(np.array([[9.0, 7.0, 5.0, -np.inf]], np.float32), np.array([[True, True, True, False]]))
    array([[1. , 0.5, 0. , 0. ]], dtype=float32)
    """
    low = np.min(scores, axis=1, where=real, initial=np.inf, keepdims=True)
    high = np.max(scores, axis=1, where=real, initial=-np.inf, keepdims=True)
    told = real & (high > low)
    above = np.subtract(scores, low, out=np.zeros_like(scores), where=told)
    stretched: Floats = np.divide(above, high - low, out=np.zeros_like(scores), where=told)
    return stretched


def similarities(vectors: Floats | sparse.csr_matrix, items: Ints) -> Floats:
    """(B, K, K) the cosines between the candidates (B, K) of each request; `vectors` are unit rows.

    >>> similarities(np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32), np.array([[0, 2]], np.int32)).round(2)
    array([[[1. , 0.6],
            [0.6, 1. ]]], dtype=float32)
    """
    n_rows, k = items.shape
    rows = np.maximum(items, 0).ravel()
    if not sparse.issparse(vectors):
        dense = vectors[rows].reshape(n_rows, k, -1)
        near: Floats = dense @ dense.transpose(0, 2, 1)
        return near
    own = sparse.csr_matrix(vectors[rows])
    # each request's values moved to columns of their own: one product then compares within requests alone
    request = np.repeat(np.arange(n_rows * k) // max(k, 1), np.diff(own.indptr))
    columns = own.indices + request * own.shape[1]
    apart = sparse.csr_matrix((own.data, columns, own.indptr), shape=(n_rows * k, n_rows * own.shape[1]))
    alike = sparse.coo_matrix(apart @ apart.T)
    result = np.zeros((n_rows * k, k), np.float32)
    result[alike.row, alike.col % max(k, 1)] = alike.data
    return result.reshape(n_rows, k, k)


def _first_best(gain: NDArray[np.floating], real: Bools, left: Bools) -> Longs:
    """(B,) the place of the largest gain among what is left, padding last; ties go to the earlier place."""
    gain = np.where(real, gain, np.finfo(np.float32).min)
    best: Longs = np.where(left, gain, -np.inf).argmax(axis=1)
    return best


def _fame(data: Dataset) -> Floats:
    """(n_items,) log(1 + likes) divided by the largest; 0 where nothing is liked."""
    logs = np.log1p(np.bincount(data.events.item[data.events.liked], minlength=data.n_items).astype(np.float32))
    fame: Floats = logs / max(logs.max(initial=0.0), np.float32(1e-9))
    return fame
