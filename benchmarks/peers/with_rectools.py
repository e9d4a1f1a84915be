"""Models of RecTools: EASE and SASRec with the full softmax, on ids alone or with categories of the items."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from rectools import Columns
from rectools import dataset as rectools_data
from rectools.models import EASEModel, SASRecModel
from rectools.models.nn.item_net import CatFeaturesItemNet, IdEmbeddingsItemNet
from rectools.models.nn.transformers.utils import leave_one_out_mask

from benchmarks.peers.tuned import Tuned
from palate.contracts import Source
from palate.data.dataset import Catalogue, Dataset
from palate.retrieve.history import history_matrix
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Slate

VALIDATING = 2048  # people whose last like tells when to stop, as in the library's training guide
GUIDE = {"n_factors": 64, "n_heads": 2, "session_max_len": 50}
MOST_EPOCHS, PATIENCE = 100, 3  # patience is Lightning's default


def ease() -> Tuned:
    return Tuned({f"regularization={value:g}": Ease(value) for value in (500.0, 100.0)})  # 500 is the default


def sasrec_ids() -> "TransformerPeer":
    return TransformerPeer()


def sasrec() -> "TransformerPeer":
    return TransformerPeer(categories=True)


def sasrec_guide() -> "TransformerPeer":
    return TransformerPeer(GUIDE)


def sasrec_sampled() -> "TransformerPeer":
    return TransformerPeer({**GUIDE, "loss": "sampled_softmax", "n_negatives": 256})


@dataclass(frozen=True, eq=False)
class Ease:
    """EASE as the library scores it, which is with the transpose of the published weights.

    weights_: (n_items, n_items) from history item to scored item, zero for items without a like
    """

    regularisation: float
    weights_: Floats | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        likes = interactions(data).drop_duplicates([Columns.User, Columns.Item])
        told = rectools_data.Dataset.construct(likes)
        model = EASEModel(regularization=self.regularisation)
        model.fit(told)
        items = told.item_id_map.get_external_sorted_by_internal().astype(np.int32)
        weights = np.zeros((data.n_items, data.n_items), np.float32)
        weights[np.ix_(items, items)] = model.weight.T  # its ranker multiplies a history with rows
        return replace(self, weights_=weights)

    def scores(self, queries: Queries) -> Floats:
        weights = fitted(self.weights_, self)
        scores: Floats = history_matrix(queries.histories, len(weights)) @ weights
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


@dataclass(frozen=True, eq=False)
class TransformerPeer:
    """SASRec as the library's defaults have it, stopped early on the last likes of some people.

    Items that training has not seen rank below all others, since the library does not know them.

    options: those of SASRecModel that differ from its defaults; callbacks: further ones for its trainer
    vectors_: (1 + m, dim) the padding and the items known; known_: (m,) their rows in the catalogue
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    categories: bool = False
    most_epochs: int = MOST_EPOCHS
    patience: int = PATIENCE
    callbacks: tuple[Callback, ...] = ()
    model_: Any = None
    vectors_: torch.Tensor | None = None
    known_: Ints | None = None
    n_items_: int = 0

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        likes = interactions(data)
        several = likes[Columns.User].value_counts()
        asked = runtime.rng("rectools").permutation(np.sort(several[several > 2].index))[:VALIDATING]
        nets = (IdEmbeddingsItemNet, CatFeaturesItemNet) if self.categories else (IdEmbeddingsItemNet,)
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(runtime.rng("rectools start").integers(2**62)))
            model = SASRecModel(
                item_net_block_types=nets,
                get_val_mask_func=leave_one_out_mask,
                get_val_mask_func_kwargs={"val_users": [int(user) for user in asked]},
                get_trainer_func=trainer,
                get_trainer_func_kwargs={"folder": folder, "epochs": self.most_epochs, "patience": self.patience},
                **self.options,
            )
            model._trainer.callbacks.extend(self.callbacks)
            model.fit(_described(likes, data.items if self.categories else None))
            (best,) = Path(folder).glob("*.ckpt")
            model.load_weights_from_checkpoint(best)
        network = model.lightning_model.torch_model.eval()
        with torch.no_grad():
            vectors = network.similarity_module.item_tower_forward(network.item_model.get_all_embeddings())
        known = model.data_preparator.get_known_item_ids().astype(np.int32)
        return replace(self, model_=model, vectors_=vectors, known_=known, n_items_=data.n_items, callbacks=())

    def scores(self, queries: Queries) -> Floats:
        model, vectors, known = fitted(self.model_, self), fitted(self.vectors_, self), fitted(self.known_, self)
        network = model.lightning_model.torch_model
        place = np.zeros(self.n_items_, np.int64)  # 0 is the padding
        place[known] = np.arange(1, len(known) + 1)
        histories = queries.histories
        read = histories.where(place[histories.values] > 0).last(model.session_max_len)
        grid = np.zeros((len(queries), model.session_max_len), np.int64)
        grid[read.row_of, -1 - read.ages] = place[read.values]
        scores = np.zeros((len(queries), self.n_items_), np.float32)
        told = np.flatnonzero(read.lengths)
        if len(told):
            with torch.no_grad():
                batch = {"x": torch.from_numpy(grid[told])}
                states = network.encode_sessions(batch, network.item_model.get_all_embeddings())[:, -1]
                found = (network.similarity_module.session_tower_forward(states) @ vectors[1:].T).numpy()
            scores[told] = found.min(axis=1, keepdims=True) - 1
            scores[np.ix_(told, known)] = found
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


def trainer(folder: str, epochs: int, patience: int) -> Trainer:
    """One that stops when the validation loss has not fallen for `patience` epochs and keeps the best weights."""
    loss = SASRecModel.val_loss_name
    return Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[
            EarlyStopping(monitor=loss, mode="min", patience=patience),
            ModelCheckpoint(dirpath=folder, monitor=loss, mode="min", save_top_k=1, save_weights_only=True),
        ],
    )


def interactions(data: Dataset) -> pd.DataFrame:
    """The likes as the library's table, in order of time; row numbers serve as ids."""
    events = data.events.where(data.events.liked)
    place = np.arange(len(events))  # sorted by user, then time: enough to order each user's own
    times = pd.to_datetime(place, unit="s")
    table = {Columns.User: events.user, Columns.Item: events.item, Columns.Weight: 1.0, Columns.Datetime: times}
    return pd.DataFrame(table)


def _described(likes: pd.DataFrame, items: Catalogue | None) -> rectools_data.Dataset:
    """The library's data set, with the categories of items where they are asked for and exist."""
    features = _categories(items, set(likes[Columns.Item])) if items else pd.DataFrame()
    if features.empty:
        return rectools_data.Dataset.construct(likes)
    names = sorted(features["feature"].unique())
    return rectools_data.Dataset.construct(likes, item_features_df=features, cat_item_features=names)


def _categories(items: Catalogue, wanted: set[int]) -> pd.DataFrame:
    """A row for each item, attribute and value; a cell may hold several values, tags without commas one per word."""
    rows = []
    for name, column in {"tags": items.tags, **items.attributes}.items():
        between = r"\s+" if name == "tags" and not any("," in cell for cell in column) else r"\s*[,;|]\s*"
        for item in sorted(wanted):
            rows += [(item, name, value) for value in re.split(between, column[item].strip()) if value]
    return pd.DataFrame(rows, columns=["id", "feature", "value"])
