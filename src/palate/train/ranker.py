"""Texts of people and items to a fitted `CrossEncoder`: from labels people gave, or from lists with a liked item."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palate.config import option, options
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.metrics.accuracy import auc, uauc
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.features import ordered
from palate.rank.reader import Reader
from palate.runtime import Runtime, log
from palate.train.holdout import ENOUGH, hold_out, quality
from palate.train.loop import Epochs, LoopConfig, train
from palate.types import Floats, Ints, Longs, Queries, Slate

LISTS = ("listwise", "margin")  # losses over the candidates of a list


@options
class RankerTrainerConfig(CrossEncoderConfig, LoopConfig):
    epochs: int = option(4, "Epochs, at most.", low=1)
    learning_rate: float = option(5e-5, "Largest step of the optimiser.", low=0.0)
    weight_decay: float = option(0.01, "Pull of all weights towards 0.", low=0.0)
    warm_up: float = option(0.1, "Share of the run in which the step grows; then it falls to 0.", low=0.0, high=1.0)
    clip: float = option(1.0, "Length at which a gradient is cut.", low=0.0)
    patience: int = option(2, "Epochs without a better result before training ends.", low=1)
    method: str = option("full", "What learns: everything, or the head alone.", choices=("full", "head"))
    loss: str = option("bce", "bce and mse for labels; listwise and margin for lists.", choices=("bce", "mse", *LISTS))
    choose: str = option(
        "auto",
        "What the best epoch is best in; auto: ndcg for lists, loss for labels.",
        choices=("auto", "loss", "auc", "uauc", "ndcg"),
    )
    batch: int = option(16, "Pairs learned in a step; a list is never parted.", low=1)
    candidates: int = option(10, "Candidates of a training list, the liked one among them.", low=2)
    people: int = option(1000, "People whose last like is learned from or measured on, at most.", low=1)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """N pairs, those of a group side by side: a person's pairs where they gave labels, else a list.

    prior: what was known of each pair before, on any scale. labels: 0 or 1, for mse any value.
    """

    people: Sequence[str]
    items: Sequence[str]
    groups: Ints
    labels: Floats
    prior: Floats

    def __len__(self) -> int:
        return len(self.labels)

    def fingerprint(self) -> str:
        """A hash of everything that can be learned from them."""
        digest = hashlib.sha256("\x1f".join([*self.people, "\x1e", *self.items]).encode())
        for part in (self.groups, self.labels, self.prior):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class RankerTrainer:
    """Learns a `CrossEncoder`.

    `learn` takes pairs of texts as they are. `fit` makes lists with a retriever's own candidates, so that the ranker
    meets in training what it meets in use, and keeps the retriever's order where training on held-out likes brought
    nothing better. After each epoch the log has the training loss, and on the development pairs loss, accuracy, AUC,
    the mean of the groups' AUC and, for lists, NDCG@10; TensorBoard has the same.

    References: the softmax over a list: Cao et al. (2007), Learning to rank: from pairwise to listwise approach, ICML;
    the margin: Joachims (2002), Optimizing search engines using clickthrough data, KDD.
    """

    config: RankerTrainerConfig = RankerTrainerConfig()

    def fit(self, data: Dataset, retriever: Retriever, runtime: Runtime) -> CrossEncoder:
        """A ranker for the slates of that retriever, which is fitted here without the likes that teach.

        Raises nothing where too few people are left to learn from: the ranker then keeps every order.
        """
        bare = self._untrained().about(data.items)
        rest, queries, targets = hold_out(data, self.config.people, runtime.rng("ranker"))
        slate = retriever.fit(rest, runtime).retrieve(queries, self.config.candidates)
        met = (slate.items == targets[:, None]).any(axis=1) & ordered(queries, slate).any(axis=1)
        queries, slate, targets = queries.take(np.flatnonzero(met)), slate.take(np.flatnonzero(met)), targets[met]
        if len(targets) < 2 * ENOUGH:
            log.info("ranker: %d lists are too few to learn from; every order is kept", len(targets))
            return replace(bare, record_={"lists": len(targets), "kept_order": True})
        cut = len(targets) - max(ENOUGH, len(targets) // 4)
        taught, measured = (
            _listed(bare, queries.take(rows), slate.take(rows), targets[rows])
            for rows in np.split(np.arange(len(targets)), [cut])
        )
        learned = replace(self, config=replace(self.config, loss=self._list_loss)).learn(
            taught, measured, runtime, bare=bare
        )
        held = slate.take(np.arange(cut, len(targets)))
        before = float(quality(held, targets[cut:]).mean())
        after = float(quality(learned.rank(queries.take(slice(cut, None)), held), targets[cut:]).mean())
        record = {**learned.record_, "lists": len(targets), "before": before, "after": after}
        log.info("ranker: NDCG@10 of development lists %.4f in the retriever's order, %.4f in this one", before, after)
        if after <= before:
            return replace(bare, record_={**record, "kept_order": True})
        return replace(learned, record_={**record, "kept_order": False})

    def learn(
        self, examples: Examples, development: Examples, runtime: Runtime, bare: CrossEncoder | None = None
    ) -> CrossEncoder:
        """The ranker with the weights of the epoch that is best on the development pairs. Goes on from a checkpoint in
        `runtime.work`, if there is one of this seed, these options and these pairs.

        bare: an untrained one that knows the items of a catalogue, which `rank` needs and `scores` does not.
        """
        bare = bare or self._untrained()
        with torch.random.fork_rng(devices=[]):
            reader = _learning(bare.open(), self.config.method)
            start = {name: value.clone() for name, value in reader.state_dict().items()}
            course = _Course(self.config, reader, examples, development)
            name = f"ranker-{self._named(bare, examples, development, runtime)}"
            epochs = Epochs(course.batches, course.n_batches)
            train(reader, course.loss, epochs, course.quality, self.config, runtime, name, after_epoch=course.told)
        n_weights = sum(part.numel() for part in reader.parameters() if part.requires_grad)
        record = {"trainable": n_weights, "pairs": len(examples), "epochs": tuple(course.measured)}
        return replace(bare, weights_=reader.changed(start), record_=record)

    @property
    def _list_loss(self) -> str:
        return self.config.loss if self.config.loss in LISTS else "listwise"

    def _untrained(self) -> CrossEncoder:
        own = {one.name: getattr(self.config, one.name) for one in fields(CrossEncoderConfig)}
        return CrossEncoder(CrossEncoderConfig(**own)).identified()

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


def _learning(reader: Reader, method: str) -> Reader:
    """The reader with what a method trains marked as learning; the one place that knows methods by name."""
    for part in reader.transformer.parameters():
        part.requires_grad_(method == "full")
    return reader


class _Course:
    """Batches, loss and measures of one run. A batch is a list of pairs by number."""

    def __init__(self, config: RankerTrainerConfig, reader: Reader, examples: Examples, development: Examples) -> None:
        self.config, self.reader, self.examples, self.development = config, reader, examples, development
        self.tokens, self.held = (reader.tokens(part.people, part.items) for part in (examples, development))
        self.parts = _parts(examples, whole=config.loss in LISTS)
        self.measured: list[dict[str, float]] = []

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
        return loss_of(self.config.loss, score, torch.from_numpy(examples.labels[rows]), examples.groups[rows])

    def quality(self) -> float:
        """How good the last epoch was on the development pairs; larger is better."""
        kind, held = self.config.loss, self.development
        scores = self.reader.scores(self.held, held.prior, self.config.batch_tokens)
        found = measures(kind, scores, held)
        self.measured.append(found)
        log.info("ranker: development %s", ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
        choose = self.config.choose if self.config.choose != "auto" else "ndcg" if kind in LISTS else "loss"
        return -found["loss"] if choose == "loss" else float(np.nan_to_num(found[choose]))

    def told(self, *_: float) -> Mapping[str, float]:
        return self.measured[-1]


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
    """loss, accuracy, auc, uauc and, for lists, ndcg of scored pairs. Accuracy of labels: right side of the middle
    between them; of lists: how often the first is liked."""
    liked, groups = examples.labels > np.mean([examples.labels.min(), examples.labels.max()]), examples.groups
    labels = torch.from_numpy(examples.labels)
    found = {"loss": float(loss_of(kind, torch.from_numpy(scores), labels, groups))}
    if kind in LISTS:
        parts = [rows for rows in _parts(examples, whole=True) if liked[rows].any()]
        ranks = [int((scores[rows] >= scores[rows][liked[rows]].max()).sum()) for rows in parts]  # of the first liked
        found["accuracy"] = float(np.mean([rank == 1 for rank in ranks]))
        found["ndcg"] = float(np.mean([1 / np.log2(rank + 1) if rank <= 10 else 0.0 for rank in ranks]))
    else:
        middle = 0.0 if kind == "bce" else float(np.mean([examples.labels.min(), examples.labels.max()]))
        found["accuracy"] = float(((scores > middle) == liked).mean())
    return found | {"auc": auc(liked, scores), "uauc": uauc(groups, liked, scores)}


def _parts(examples: Examples, *, whole: bool) -> list[Longs]:
    """The pairs by number: one by one, or each group as a whole."""
    rows = np.arange(len(examples))
    return np.split(rows, np.flatnonzero(np.diff(examples.groups)) + 1 if whole else rows[1:])


def _listed(bare: CrossEncoder, queries: Queries, slate: Slate, targets: Ints) -> Examples:
    """Each slate as a list whose target is liked."""
    own = ordered(queries, slate)
    people, items, prior = bare.pairs(queries, slate, own)
    lists = np.nonzero(own)[0].astype(np.int32)
    return Examples(people, items, lists, (slate.items == targets[:, None])[own].astype(np.float32), prior)
