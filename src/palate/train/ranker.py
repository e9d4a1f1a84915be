"""Texts of people and items to a fitted `CrossEncoder`: from labels people gave, or from lists with a liked item."""

import hashlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palate.config import narrowed, option, options
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.errors import ConfigError, DataError
from palate.metrics.accuracy import auc, uauc, user_auc
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.features import ordered
from palate.rank.reader import Reader
from palate.runtime import Runtime, log
from palate.train.diary import Diary, Told, compared, peak_mb
from palate.train.examples import Examples, listed
from palate.train.holdout import ENOUGH, hold_out
from palate.train.labels import latest_labels
from palate.train.loop import Epochs, LoopConfig, train
from palate.tuning.methods import METHODS, MethodConfig
from palate.types import Floats, Ints, Longs, Queries, Slate

C = TypeVar("C")
LISTS = ("listwise", "margin")  # losses over the candidates of a list


@options
class RankerTrainerConfig(MethodConfig, CrossEncoderConfig, LoopConfig):
    epochs: int = option(4, "Epochs, at most.", low=1)
    learning_rate: float = option(0.0, "Largest step of the optimiser; 0 takes what the method usually wants.", low=0.0)
    weight_decay: float = option(0.01, "Pull of all weights towards 0.", low=0.0)
    warm_up: float = option(0.1, "Share of the run in which the step grows; then it falls to 0.", low=0.0, high=1.0)
    clip: float = option(1.0, "Length at which a gradient is cut.", low=0.0)
    patience: int = option(2, "Epochs without a better result before training ends.", low=1)
    loss: str = option(
        "listwise", "listwise and margin for lists; bce and mse for labels.", choices=(*LISTS, "bce", "mse")
    )
    choose: str = option(
        "auto",
        "What the best epoch is best in; auto: ndcg for lists, loss for labels.",
        choices=("auto", "loss", "auc", "uauc", "ndcg"),
    )
    batch: int = option(20, "Pairs learned in a step; a list is never parted.", low=1)
    people: int = option(4000, "People whose last like, or labels, are learned from or measured on, at most.", low=1)
    labels: int = option(10, "Labels of a person, the latest, at most half of theirs.", low=1)


@dataclass(frozen=True, eq=False)
class RankerTrainer:
    """Learns a `CrossEncoder` by any method of `palate.tuning`; its own head and trust always learn beside that.

    `learn` takes pairs of texts as they are. `fit` and `taught` make lists with a retriever's own candidates, so that
    the ranker meets in training what it meets in use: two thirds of them teach, a sixth chooses the epoch, and a sixth,
    by which nothing was chosen, is put in order before and after; where these get no better every order is kept. After
    each epoch the log and `told` have the training loss, and on the pairs that choose loss, accuracy, AUC, the mean of
    the groups' AUC and, for lists, NDCG@10.

    told: after each epoch its number from 1, these numbers and the seconds so far.

    References: the softmax over a list: Cao et al. (2007), Learning to rank: from pairwise to listwise approach, ICML;
    the margin: Joachims (2002), Optimizing search engines using clickthrough data, KDD.
    """

    config: RankerTrainerConfig = RankerTrainerConfig()
    told: Told = lambda _: None

    def fit(self, data: Dataset, retriever: Retriever, runtime: Runtime) -> CrossEncoder:
        """A ranker for the slates of that retriever, which is fitted here without the events that teach.

        Lists hold the last like of each person among what the retriever recommends; labels are what each person said of
        items last, in the retriever's order. Where too few people are left to learn from, or nothing better was
        learned, the ranker keeps every order. Raises DataError where items have no texts, or labels say nothing.
        """
        start, config, rng = time.perf_counter(), self.config, runtime.rng("ranker")
        bare = self._untrained().about(data.items)
        if not any(bare.texts_):
            raise DataError("items: none has a title, description or tags, so there is nothing for a ranker to read")
        if config.loss in LISTS:
            rest, queries, targets = hold_out(data, config.people, rng)
            slate = retriever.fit(rest, runtime).retrieve(queries, config.candidates)
            ranker, record = self.taught(data, queries, slate, targets, runtime)
        else:
            known = latest_labels(data, config.people, config.labels, config.loss, rng)
            slate = retriever.fit(known.rest, runtime).retrieve(known.queries, known.items.shape[1], known.items)
            ranker, record = self._proven(bare, known.queries, slate, *known.of(slate, config.loss), runtime)
        about = {
            "options": asdict(replace(config, seconds=min(config.seconds, sys.float_info.max))),
            "seed": runtime.seed,
            "base": bare.fingerprint_,
            "data": data.fingerprint(),
            "seconds": round(time.perf_counter() - start, 1),
            "peak_mb": peak_mb(),
        }
        return replace(ranker or bare, record_={**record, **about})

    def within(self, seconds: float) -> "RankerTrainer":
        """The same with half of that time at most for training; reading what chooses and judges takes the rest."""
        return replace(self, config=replace(self.config, seconds=min(self.config.seconds, seconds / 2)))

    def taught(
        self, data: Dataset, queries: Queries, slate: Slate, targets: Ints, runtime: Runtime
    ) -> tuple[CrossEncoder | None, dict[str, Any]]:
        """See `ListTrainer`; of each list only as many candidates are read as the ranker will read."""
        if self.config.loss not in LISTS:
            raise ConfigError(f"loss {self.config.loss}: is for labels; lists are learned by {' or '.join(LISTS)}")
        slate = slate.top(self.config.candidates)
        wanted = slate.items == targets[:, None]
        met = np.flatnonzero(wanted.any(axis=1) & ordered(queries, slate).any(axis=1))[: self.config.people]
        bare, labels = self._untrained().about(data.items), wanted[met].astype(np.float32)
        return self._proven(bare, queries.take(met), slate.take(met), labels, 0.5, runtime)

    def learn(
        self, examples: Examples, development: Examples, runtime: Runtime, bare: CrossEncoder | None = None
    ) -> CrossEncoder:
        """The ranker with the weights of the epoch that is best on the development pairs. Goes on from a checkpoint in
        `runtime.work`, if there is one of this seed, these options and these pairs.

        bare: an untrained one that knows the items of a catalogue, which `rank` needs and `scores` does not.
        Raises ConfigError where the method does not work on the model.
        """
        bare, config = bare or self._untrained(), self.config
        name = f"ranker-{self._named(bare, examples, development, runtime)}"
        diary = Diary(runtime.work and runtime.work / f"{name}.jsonl", time.perf_counter(), self.told)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(runtime.rng("ranker.start").integers(2**62)))
            course = _Course(config, bare.open(), examples, development, diary)
            reader, rate = course.reader, config.learning_rate or METHODS[config.method].learning_rate
            qualities = train(
                reader,
                course.loss,
                Epochs(course.batches, course.n_batches),
                course.quality,
                replace(config, learning_rate=rate),
                runtime,
                name,
                after_step=reader.stepped,
                after_epoch=course.noted,
            )
        weights = reader.learned()
        record = {
            "trainable": sum(part.size for part in weights.values()),
            "weights": sum(part.numel() for part in reader.parameters()),
            "pairs": len(examples),
            "epochs": diary.upto(len(qualities)),
        }
        return replace(bare, method_=narrowed(MethodConfig, config), weights_=weights, record_=record)

    def _proven(
        self, bare: CrossEncoder, queries: Queries, slate: Slate, labels: Floats, middle: float, runtime: Runtime
    ) -> tuple[CrossEncoder | None, dict[str, Any]]:
        """A ranker that learned from two thirds of the slates with labels (B, K), if it betters those that judge."""
        n_lists, kind = len(queries), self.config.loss
        record: dict[str, Any] = {"measure": "NDCG@10" if kind in LISTS else "AUC", "lists": n_lists}
        held = max(2 * ENOUGH, n_lists // 3)
        if n_lists < held + ENOUGH:
            log.info("ranker: %d lists are too few to learn from; every order is kept", n_lists)
            return None, {**record, "kept_order": True}
        taught, choosers, judges = (
            listed(bare, queries.take(rows), slate.take(rows), labels[rows], middle)
            for rows in np.split(np.arange(n_lists), [n_lists - held, n_lists - held // 2])
        )
        learned = self.learn(taught, choosers, runtime, bare)
        scores = learned.scores(judges.people, judges.items, judges.prior)
        before, after = (by_group(kind, one, judges) for one in (judges.prior, scores))
        clear = np.isfinite(before)  # a person with labels of one kind has no AUC
        if np.count_nonzero(clear) < ENOUGH // 2:
            log.info("ranker: too few people judge with both kinds of labels; every order is kept")
            return None, {**record, **learned.record_, "kept_order": True}
        found = compared(before[clear], after[clear])
        told = record["measure"], found["before"], found["after"]
        log.info("ranker: %s of what judges %.4f in the order given, %.4f in this one", *told)
        record |= {**learned.record_, "held_out": found, "kept_order": found["change"] <= 0}
        return None if record["kept_order"] else replace(learned, record_=record), record

    def _untrained(self) -> CrossEncoder:
        return CrossEncoder(narrowed(CrossEncoderConfig, self.config)).identified()

    def _named(self, bare: CrossEncoder, examples: Examples, development: Examples, runtime: Runtime) -> str:
        """The name of a run, another for each seed, options and data, and the same wherever the model lies."""
        parts = (
            runtime.seed,
            bare.fingerprint_,
            sorted((name, value) for name, value in asdict(self.config).items() if name != "model"),
            examples.fingerprint(),
            development.fingerprint(),
        )
        return hashlib.sha256(" ".join(map(str, parts)).encode()).hexdigest()[:12]


class _Course:
    """Reader, batches, loss and measures of one run. A batch is a list of pairs by number."""

    def __init__(
        self, config: RankerTrainerConfig, reader: Reader, examples: Examples, development: Examples, diary: Diary
    ) -> None:
        self.config, self.examples, self.development, self.diary = config, examples, development, diary
        self.parts = examples.parts(whole=config.loss in LISTS)
        self.reader = reader.learning(config, config.epochs * self.n_batches)
        self.tokens, self.held = (reader.tokens(part.people, part.items) for part in (examples, development))
        self.measured: dict[str, float] = {}

    @property
    def n_batches(self) -> int:
        """At most: a list that does not fit into a batch begins another."""
        return len(list(self.batches(np.random.default_rng(0))))

    def batches(self, rng: np.random.Generator) -> Iterator[Longs]:
        rows: list[int] = []
        for at in rng.permutation(len(self.parts)):
            if rows and len(rows) + len(self.parts[at]) > self.config.batch:
                yield np.array(rows)
                rows = []
            rows += self.parts[at].tolist()
        if rows:
            yield np.array(rows)

    def loss(self, rows: Longs) -> Tensor:
        examples = self.examples
        score = self.reader([self.tokens[row] for row in rows], torch.from_numpy(examples.prior[rows]))
        loss = loss_of(self.config.loss, score, torch.from_numpy(examples.labels[rows]), examples.groups[rows])
        return loss + self.reader.penalty()

    def quality(self) -> float:
        """How good the last epoch was on the development pairs; larger is better."""
        kind, held = self.config.loss, self.development
        found = measures(kind, self.reader.scores(self.held, held.prior, self.config.batch_tokens), held)
        log.info("ranker: development %s", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
        choose = self.config.choose if self.config.choose != "auto" else "ndcg" if kind in LISTS else "loss"
        self.measured = {f"development_{name}" if name == "loss" else name: value for name, value in found.items()}
        return -found["loss"] if choose == "loss" else float(np.nan_to_num(found[choose]))

    def noted(self, epoch: int, loss: float, quality: float) -> Mapping[str, float]:
        return self.diary.note(epoch, loss, quality, self.measured)


def loss_of(kind: str, score: Tensor, labels: Tensor, groups: Ints) -> Tensor:
    """The mean loss of pairs (N,).

    bce, mse: of each score against its label. listwise: minus the log of the liked items' softmax within their list.
    margin: by how much a liked item fails to be 1 above another of its list. Lists without a liked item, or with
    nothing else, teach nothing.
    """
    if kind == "bce":
        return functional.binary_cross_entropy_with_logits(score, labels)
    if kind == "mse":
        return functional.mse_loss(score, labels)
    together = torch.from_numpy(groups[:, None] == groups[None, :])  # (N, N)
    liked = labels > 0.5
    if kind == "margin":
        pairs = together & liked[:, None] & ~liked[None, :]
        return functional.relu(1 - (score[:, None] - score[None, :]))[pairs].sum() / pairs.sum().clamp(min=1)
    level = torch.logsumexp(torch.where(together, score[None, :], -torch.inf), dim=1)
    return (level - score)[liked].sum() / liked.sum().clamp(min=1)


def measures(kind: str, scores: Floats, examples: Examples) -> dict[str, float]:
    """loss, accuracy, auc, uauc and, for lists, ndcg of scored pairs. Accuracy of labels: right side of the middle;
    of lists: how often the first is liked."""
    liked, groups, labels = examples.liked, examples.groups, torch.from_numpy(examples.labels)
    found = {"loss": float(loss_of(kind, torch.from_numpy(scores), labels, groups))}
    if kind in LISTS:
        ranks = _ranks(scores, examples)
        found["accuracy"] = float((ranks == 1).mean())
        found["ndcg"] = float(by_group(kind, scores, examples).mean())
    else:
        found["accuracy"] = float(((scores > (0.0 if kind == "bce" else examples.middle)) == liked).mean())
    return found | {"auc": auc(liked, scores), "uauc": uauc(groups, liked, scores)}


def by_group(kind: str, scores: Floats, examples: Examples) -> Floats:
    """(G,) the NDCG@10 of each list that has a like, or the AUC of each person, nan where labels are of one kind."""
    if kind not in LISTS:
        return user_auc(examples.groups, examples.liked, scores)[1].astype(np.float32)
    ranks = _ranks(scores, examples)
    return np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0).astype(np.float32)


def _ranks(scores: Floats, examples: Examples) -> Longs:
    """(G,) the rank from 1 of the first like in each list that has one; of equal scores the given order counts."""
    found = [
        1 + int(np.argmax(examples.liked[rows][np.argsort(-scores[rows], kind="stable")]))
        for rows in examples.parts(whole=True)
        if examples.liked[rows].any()
    ]
    return np.array(found, np.int64)
