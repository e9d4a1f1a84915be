"""Models of `implicit`: neighbours by cosine and TF-IDF, alternating least squares, Bayesian personalised ranking."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender, TFIDFRecommender
from implicit.utils import ParameterWarning
from threadpoolctl import threadpool_limits

from benchmarks.peers.tuned import Tuned
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.retrieve.history import history_matrix
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import STRANGER, Floats, Ints, Queries, Slate

NEIGHBOURS = (20, 100, 500)  # 20 is the default
ALS: tuple[dict[str, Any], ...] = (
    {},
    {"factors": 64, "regularization": 0.05, "alpha": 2.0},  # as in the library's tutorial
    {"factors": 128, "regularization": 10.0, "alpha": 10.0},
)
BPR: tuple[dict[str, Any], ...] = (
    {},
    {"learning_rate": 0.05},
    {"factors": 63, "learning_rate": 0.05, "regularization": 0.001},
)


def cosine() -> Tuned:
    return Tuned({f"K={k}": Neighbours(CosineRecommender, k) for k in NEIGHBOURS})


def tfidf() -> Tuned:
    return Tuned({f"K={k}": Neighbours(TFIDFRecommender, k) for k in NEIGHBOURS})


def als() -> Tuned:
    return Tuned({_told(options): LeastSquares(options) for options in ALS})


def bpr() -> Tuned:
    return Tuned({_told(options): PairwiseRanking(options) for options in BPR})


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Sum of the similarities to the history's items."""

    kind: type
    k: int
    model_: Any = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        model = self.kind(K=self.k)
        with warnings.catch_warnings():  # the library warns of a matrix that it made itself
            warnings.simplefilter("ignore", ParameterWarning)
            model.fit(data.matrix().astype(np.float64), show_progress=False)
        return replace(self, model_=model)

    def scores(self, queries: Queries) -> Floats:
        similarity = fitted(self.model_, self).similarity
        history = history_matrix(queries.histories, similarity.shape[0])
        scores: Floats = (history @ similarity).toarray().astype(np.float32)
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """ALS; a request's vector is recalculated from its history, as the library does for changed users."""

    options: Mapping[str, Any] = field(default_factory=dict)
    model_: Any = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        with threadpool_limits(1, "blas"):  # the library asks for it
            model = AlternatingLeastSquares(**self.options, random_state=runtime.rng("implicit"))
            model.fit(data.matrix(), show_progress=False)
        return replace(self, model_=model)

    def scores(self, queries: Queries) -> Floats:
        model = fitted(self.model_, self)
        history = history_matrix(queries.histories, len(model.item_factors))
        with threadpool_limits(1, "blas"):
            vectors: Floats = model.recalculate_user(np.arange(len(queries)), history)
            scores: Floats = vectors @ model.item_factors.T
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


@dataclass(frozen=True, eq=False)
class PairwiseRanking:
    """BPR; people are the vectors they got in training, so that what they did since does not change their scores.

    One thread, because several overwrite each other and no run can be repeated.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    model_: Any = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        seed = int(runtime.rng("implicit").integers(2**31))
        model = BayesianPersonalizedRanking(**self.options, random_state=seed, num_threads=1)
        model.fit(data.matrix(), show_progress=False)
        return replace(self, model_=model)

    def scores(self, queries: Queries) -> Floats:
        model = fitted(self.model_, self)
        vectors = np.where((queries.users == STRANGER)[:, None], 0, model.user_factors[queries.users])
        scores: Floats = (vectors @ model.item_factors.T).astype(np.float32)
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


def _told(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items()) or "defaults"
