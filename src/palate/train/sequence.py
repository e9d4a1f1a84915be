"""A data set to a fitted sequence model: SASRec or GRU4Rec over id, text and attributes in one item table."""

import hashlib
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch

from palate.config import option, options
from palate.contracts import Encoder, Source
from palate.data.dataset import Dataset
from palate.encode.hashing import HashingConfig, HashingEncoder
from palate.encode.joined import JoinedEncoder
from palate.errors import NotFittedError, PalateWarning
from palate.retrieve.backbone import with_weights
from palate.retrieve.fuse import Fused
from palate.retrieve.sequence import Sequence, SequenceConfig
from palate.retrieve.top import product
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.train.beside import Stop, at_once, beside
from palate.train.cold import calibrated
from palate.train.content import Content, content_of
from palate.train.holdout import ENOUGH, hold_out, quality
from palate.train.learner import Learner, LearnerConfig
from palate.train.loop import Epochs, LoopConfig, train
from palate.train.windows import batches, n_batches, windows
from palate.types import Floats, Ints, Queries, Ragged, Slate

CALIBRATING = 500  # held-out people that calibrate, at most


@options
class SequenceTrainerConfig(LearnerConfig, LoopConfig):
    batch: int = option(512, "Next items that are learned in a step.", low=1)
    words: int = option(
        512, "Axes of the words of item texts that are read beside the language model; 0 for none.", low=0, high=4096
    )
    text_dim: int = option(1024, "Principal axes of all these text vectors that are used.", low=1)
    whiten: float = option(0.5, "Evens out the directions of text vectors: 0 not, 1 wholly.", low=0.0, high=1.0)
    content_scale: float = option(5.0, "Length of text and attribute rows; more is learned faster.", low=0.0)
    networks: int = option(1, "Networks, each from another start, whose z-scores are averaged.", low=1)
    updates: int = option(5500, "Steps, about, at most: the more likes the fewer epochs.", low=1)
    refit_epochs: int = option(4, "Epochs over all data where a model learned from a part of it before.", low=0)
    refit_pace: float = option(0.5, "Their learning rate relative to `learning_rate`.", low=0.0)
    held_out: int = option(2000, "People, at most a tenth, whose last like chooses the epoch.", low=0)


@dataclass(frozen=True, eq=False)
class SequenceTrainer:
    """Learns a `Sequence`; fused like any other retriever, which it becomes by `fit`.

    Every like of a history is predicted from those before it. Items nobody liked are not among the answers to choose
    from, so that training does not push them down. The last likes of some people are held out to choose the epoch
    and to calibrate cold items; with fewer than 20 such people all epochs run and cold scores stay as they are.

    References: see `Sequence`; id dropout after Volkovs et al. (2017), DropoutNet, NeurIPS.
    """

    config: SequenceTrainerConfig = SequenceTrainerConfig()
    encoder: Encoder = field(kw_only=True)

    reads: ClassVar[frozenset[Source]] = frozenset({"history", "text"})

    def fit(self, data: Dataset, runtime: Runtime) -> Sequence | Fused:
        """The model with the weights of its best epoch; of several networks their average. Goes on from a checkpoint in
        `runtime.work`, if there is one of this seed, these options and this data."""
        begun = time.perf_counter()
        encoder = self._reader.fit(item_texts(data.items), runtime)
        known, starts = self._content(data, encoder), self._starts(runtime)
        seconds = self._seconds(self.config.epochs, begun)
        models: list[Any] = [*beside([self._fit(data, known, seconds, start) for start in starts])]
        return models[0] if len(models) == 1 else Fused(members=tuple(models), n_items_=data.n_items)

    def _fit(self, data: Dataset, known: Content, seconds: float, runtime: Runtime) -> Callable[[Stop], Sequence]:
        """What trains one network within so many seconds."""
        config = self.config
        rest, queries, targets = hold_out(data, min(config.held_out, data.n_users // 10), runtime.rng("sequence"))
        if len(queries) < ENOUGH:
            rest, queries, targets = data, queries.take(slice(0)), targets[:0]
        course = _Course.of(replace(config, seconds=seconds), rest, known, runtime)
        if not len(course.pieces):
            text = "SequenceTrainer: nobody has two likes, so there is no order to learn; use a recipe without sequence"
            warnings.warn(text, PalateWarning, stacklevel=3)
        name = _name(config, data, runtime)

        def trained(stop: Stop) -> Sequence:
            model = course.run(name, runtime, lambda model: _ndcg(model, queries, targets), stop)
            bare = replace(model, items=_bare(course.learner, course.known))
            return _fair(model, bare, queries, targets, runtime.rng("sequence.cold"))

        return trained

    def within(self, seconds: float) -> "SequenceTrainer":
        """The same with the time for `fit` and `refit`, which share it by epochs."""
        return replace(self, config=replace(self.config, seconds=seconds))

    def _seconds(self, epochs: int, begun: float) -> float:
        """The time of one network in what is left since then; networks that wait for each other share it."""
        share = epochs / (self.config.epochs + self.config.refit_epochs)
        left = max(0.0, self.config.seconds * share - (time.perf_counter() - begun))
        return left / -(-self.config.networks // at_once(self.config.networks))

    def refit(self, fitted: Sequence | Fused, data: Dataset, runtime: Runtime) -> Sequence | Fused:
        """The model after `refit_epochs` more at a slower pace over all data; cold items stay calibrated."""
        if not self.config.refit_epochs:
            return fitted
        begun = time.perf_counter()
        members: Any = (fitted,) if isinstance(fitted, Sequence) else fitted.members
        known, starts = self._content(data, members[0].encoder), self._starts(runtime)
        seconds = self._seconds(self.config.refit_epochs, begun)
        pieces = [self._refit(one, data, known, seconds, start) for one, start in zip(members, starts, strict=True)]
        models: list[Any] = [*beside(pieces)]
        return models[0] if isinstance(fitted, Sequence) else replace(fitted, members=tuple(models))

    def _refit(
        self, fitted: Any, data: Dataset, known: Content, seconds: float, runtime: Runtime
    ) -> Callable[[Stop], Sequence]:
        """What trains one network further within so many seconds."""
        step = self.config.learning_rate * self.config.refit_pace
        config = replace(self.config, epochs=self.config.refit_epochs, learning_rate=step)
        course = _Course.of(replace(config, seconds=seconds), data, known, runtime)
        course.go_on_from(fitted)
        name = _name(config, data, runtime)

        def trained(stop: Stop) -> Sequence:
            model = course.run(name, runtime, lambda model: 0.0, stop)
            return replace(model, stretch=fitted.stretch, shift=fitted.shift)

        return trained

    def _content(self, data: Dataset, encoder: Encoder) -> Content:
        """What all networks are told of the items."""
        one = self.config
        return content_of(data.items, encoder, text_dim=one.text_dim, whiten=one.whiten, scale=one.content_scale)

    @property
    def _reader(self) -> Encoder:
        """What reads texts: the encoder, and words beside it."""
        if not self.config.words:
            return self.encoder
        words = HashingConfig(dim=self.config.words, unit="words", shortest=1, longest=2)
        return JoinedEncoder(encoders=(self.encoder, HashingEncoder(words)))

    def _starts(self, runtime: Runtime) -> list[Runtime]:
        """The circumstances of each network: those of the run, and the same with other seeds and without a second bar
        beside the first."""
        seeds = runtime.rng("sequence.networks").integers(2**31, size=self.config.networks - 1)
        quiet = runtime.quiet or at_once(self.config.networks) > 1
        return [runtime, *(replace(runtime, seed=int(seed), quiet=quiet) for seed in seeds)]

    def scores(self, queries: Queries) -> Floats:
        raise NotFittedError("SequenceTrainer: only what fit(data, runtime) returns can be asked")

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        raise NotFittedError("SequenceTrainer: only what fit(data, runtime) returns can be asked")


@dataclass(frozen=True, eq=False)
class _Course:
    """A learner with what it learns from. warm: (n,) the items that somebody liked, which are all it knows."""

    config: SequenceTrainerConfig
    learner: Learner
    known: Content
    pieces: Ragged
    warm: Ints

    @staticmethod
    def of(config: SequenceTrainerConfig, data: Dataset, known: Content, runtime: Runtime) -> "_Course":
        likes = data.histories()
        warm = np.unique(likes.values)
        pieces = windows(Ragged(np.searchsorted(warm, likes.values).astype(np.int32), likes.offsets), config.length)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(runtime.rng("sequence.start").integers(2**62)))
            learner = Learner(config, known.rows[warm], np.bincount(pieces.values, minlength=len(warm)))
        return _Course(config, learner, known, pieces, warm)

    def run(self, name: str, runtime: Runtime, quality_of: Callable[[Sequence], float], stop: Stop) -> Sequence:
        """Train to the best epoch."""
        config, in_one = self.config, n_batches(self.pieces, self.config.batch)
        config = replace(config, epochs=min(config.epochs, max(1, round(config.updates / max(in_one, 1)))))
        epochs = Epochs(lambda rng: stop.checked(batches(self.pieces, config.batch, rng)), in_one)
        learner, reseed = self.learner, self.learner.stream.manual_seed
        train(learner, learner.loss, epochs, lambda: quality_of(self.model()), config, runtime, name, reseed=reseed)
        return self.model()

    def go_on_from(self, fitted: Sequence) -> None:
        """Set the learner to the weights of a fitted model."""
        table, scale = self.learner.table, np.float32(self.known.scale or 1.0)
        content = np.ascontiguousarray(fitted.content.T / scale)
        told = product(self.known.rows[self.warm], content.T) + fitted.silence
        with torch.no_grad():
            table.weight.copy_(torch.from_numpy(content))
            table.bias.copy_(torch.from_numpy(fitted.silence))
            table.ids.copy_(torch.from_numpy(fitted.items[self.warm] - told))
        with_weights(self.learner.network, fitted.network)

    def model(self) -> Sequence:
        """What has been learned, as a model of its own."""
        table = {name: value.numpy().copy() for name, value in self.learner.table.state_dict().items()}
        items = _bare(self.learner, self.known)
        items[self.warm] += table["ids"]
        cold = np.ones(len(items), np.bool_)
        cold[self.warm] = False
        return Sequence(
            SequenceConfig(**{one.name: getattr(self.config, one.name) for one in fields(SequenceConfig)}),
            encoder=self.known.encoder,
            items=items,
            cold=cold,
            stretch=1.0,
            shift=0.0,
            network={name: value.numpy().copy() for name, value in self.learner.network.state_dict().items()},
            mean=self.known.mean,
            axes=self.known.axes,
            content=np.ascontiguousarray(table["weight"].T) * np.float32(self.known.scale),
            silence=table["bias"],
        )


def _bare(learner: Learner, known: Content) -> Floats:
    """(n_items, dim) the vectors of all items without their id parts."""
    weight, bias = (part.detach().numpy() for part in (learner.table.weight, learner.table.bias))
    bare: Floats = product(known.rows, weight.T) + bias
    return bare


def _fair(model: Sequence, bare: Sequence, queries: Queries, targets: Ints, rng: np.random.Generator) -> Sequence:
    """The model with calibrated scores of cold items; `bare` is the same without any id parts."""
    warm = np.flatnonzero(~model.cold)
    asked = np.flatnonzero(np.isin(targets, warm))[:CALIBRATING]
    if len(asked) < ENOUGH:
        return model
    states = model.states(queries.take(asked))
    known, content = (product(states, one.directions[warm].T) for one in (model, bare))
    stretch, shift = calibrated(known, content, np.searchsorted(warm, targets[asked]), rng)
    return replace(model, stretch=stretch, shift=shift)


def _ndcg(model: Sequence, queries: Queries, targets: Ints) -> float:
    """The mean quality; 0 without requests."""
    return float(quality(model.retrieve(queries, 10), targets).mean()) if len(queries) else 0.0


def _name(config: SequenceTrainerConfig, data: Dataset, runtime: Runtime) -> str:
    """The name of a run, another for each seed, options and data."""
    what = f"{runtime.seed} {sorted(asdict(config).items())} {data.fingerprint()}"
    return f"sequence-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
