"""A text encoder while it learns: its examples, losses and run."""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional

from palate.config import Span, option, options
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.encode.forward import Network
from palate.runtime import Runtime, n_processes
from palate.text.render import RenderConfig, history_texts
from palate.train.diary import Diary
from palate.train.holdout import ENOUGH
from palate.train.judge import BATCH_TOKENS, Judge
from palate.train.loop import Epochs, LoopConfig, train
from palate.train.pairs import Pairs, PairsConfig, pairs
from palate.train.processes import gathered, share
from palate.train.softmax import in_batch_softmax
from palate.tuning.methods import METHODS, MethodConfig
from palate.tuning.tuned import Tuned, tunable
from palate.types import NO_ITEM, Bools, Longs, Ragged


@options
class EncoderTunerConfig(MethodConfig, PairsConfig, LoopConfig):
    model: str = option("all-minilm-l6-v2", "A known model, a folder in sentence-transformers' layout or a hub id.")
    query_prompt: str = option("", 'What the model wants before a person\'s text, "query: " for E5.')
    item_prompt: str = option("", 'What the model wants before an item\'s text, "passage: " for E5.')
    max_tokens: int = option(128, "Tokens after which a text is cut while tuning; the oldest titles go first.", low=8)
    person: str = option(
        "text", "What stands for a person: one text of what they liked, or the mean of these items' vectors.",
        choices=("text", "items"),
    )  # fmt: skip
    last: int = option(10, "Liked items that tell of a person, the newest.", low=1)
    epochs: int = option(3, "Epochs, at most.", low=1, search=Span(1, 5))
    learning_rate: float = option(0.0, "Largest step of the optimiser; 0 takes what the method usually wants.", low=0.0)
    pace: float = option(1.0, "The learning rate is multiplied by it.", low=0.0, search=Span(0.2, 5.0, log=True))
    warm_up: float = option(0.1, "Share of the run in which the step grows; then it falls to 0.", low=0.0, high=1.0)
    weight_decay: float = option(0.01, "Pull of what learns towards 0.", low=0.0)
    clip: float = option(1.0, "Length at which a gradient is cut.", low=0.0)
    accumulate: int = option(1, "Batches whose gradients are averaged before a step.", low=1)
    patience: int = option(2, "Epochs without a better result before training ends.", low=1)
    temperature: float = option(
        0.05,
        "Cosines are divided by it: smaller looks at the nearest more.",
        low=0.001,
        search=Span(0.02, 0.2, log=True),
    )
    log_q: float = option(
        1.0, "Share of the correction for popular negatives, 0 none.", low=0.0, high=1.0, search=Span(0.0, 1.0)
    )
    adapt: int = option(
        0, "Epochs of learning the items' language before, from their texts alone: what is left of a text when words "
        "are deleted is to lie nearest to the whole.", low=0,
    )  # fmt: skip
    deleted: float = option(0.6, "Share of the words deleted there.", low=0.0, high=0.95)
    held_out: int = option(
        400, "People whose last like is held out: half choose the epoch, half judge.", low=2 * ENOUGH
    )
    catalogue: int = option(2000, "Items among which held-out likes are looked for, at most.", low=10)


@dataclass(frozen=True, eq=False)
class Course:
    """A network on its way, with its examples."""

    config: EncoderTunerConfig
    pairs: Pairs
    people: tuple[str, ...]  # (N) texts of the examples' histories, none where these are read item by item
    items: tuple[str, ...]  # (n_items)
    known: Bools  # (n_items) which have a text
    network: Network
    tuned: Tuned

    @staticmethod
    def of(
        config: EncoderTunerConfig,
        rest: Dataset,
        retriever: Retriever,
        texts: tuple[str, ...],
        network: Network,
        runtime: Runtime,
    ) -> "Course":
        """The examples made and the network's inner one replaced by one of which the method's part learns."""
        named = zip(rest.items.title, rest.items.ids.ids, strict=True)
        told = told_items(rest, texts)
        titled = told & np.array([title.strip() not in ("", name) for title, name in named])
        examples = pairs(rest, retriever, titled, config, runtime)
        people = people_of(examples.histories, rest, config)
        steps = config.epochs * math.ceil(examples.n_batches(config.batch) / config.accumulate)
        torch.manual_seed(int(runtime.rng("tune.start").integers(2**62)))
        inner = network.model[0]
        tuned = tunable(inner.model, config, max(steps, 1)).to(network.model.device)
        inner.model = tuned
        shorten(network.model, tuned.room)
        return Course(config, examples, people, texts, told, network, tuned)

    def name(self, base: str, data: Dataset, runtime: Runtime) -> str:
        """The name of the run, another for each seed, options, data and base, and the same wherever that lies."""
        options = sorted((name, value) for name, value in asdict(self.config).items() if name != "model")
        what = f"{runtime.seed} {options} {data.fingerprint()} {base}"
        return f"encoder-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

    def run(self, name: str, choosers: Judge, seconds: float, runtime: Runtime, diary: Diary) -> list[float]:
        config = self.config
        rate = config.pace * (config.learning_rate or METHODS[config.method].learning_rate)
        if config.adapt:
            part = config.adapt / (config.adapt + config.epochs)
            own = replace(config, learning_rate=rate, seconds=part * seconds, epochs=config.adapt)
            self._adapt(f"{name}-adapt", lambda: float(choosers.quality(self.network).mean()), own, runtime)
            seconds *= 1 - part
        return train(
            self.tuned,
            self.loss,
            Epochs(lambda rng: self.pairs.batches(config.batch, rng), self.pairs.n_batches(config.batch)),
            lambda: float(choosers.quality(self.network).mean()),
            replace(config, learning_rate=rate, seconds=seconds),
            runtime,
            name,
            accumulate=config.accumulate,
            shared=True,
            after_step=self.tuned.stepped,
            after_epoch=diary.note,
        )

    def _adapt(self, name: str, quality: Callable[[], float], config: EncoderTunerConfig, runtime: Runtime) -> None:
        """Learns the items' language first: what is left of a text is to lie nearest to the whole text.

        Reference: Wang et al. (2021), TSDAE, Findings of EMNLP, for the share of words deleted; the whole text is
        recognised in its batch instead of written again.
        """
        texts = np.array(sorted({text for text, known in zip(self.items, self.known, strict=True) if known}))

        def batches(rng: np.random.Generator) -> Iterator[tuple[list[str], list[str]]]:
            for rows in np.split(rng.permutation(len(texts)), range(config.batch, len(texts), config.batch)):
                whole = [str(text) for text in texts[rows]]
                yield [_thinned(text, config.deleted, rng) for text in whole], whole

        epochs = Epochs(batches, math.ceil(len(texts) / config.batch))
        train(self.tuned, self._denoising, epochs, quality, config, runtime, name, shared=True)

    def _denoising(self, batch: tuple[list[str], list[str]]) -> Tensor:
        """Of one batch of thinned and whole texts."""
        thinned, whole = (self._vectors([self.config.item_prompt + text for text in part]) for part in batch)
        logits = thinned @ whole.T / self.config.temperature
        loss = functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
        return loss + self.tuned.penalty() / n_processes()

    def loss(self, rows: Longs) -> Tensor:
        """Of one batch of examples."""
        examples, config = self.pairs, self.config
        hard = examples.hard[rows]
        had = examples.histories.take(rows).last(config.last) if config.person == "items" else Ragged.empty(len(rows))
        asked = np.concatenate([examples.items[rows], hard[hard != NO_ITEM], had.values])
        needed, place = np.unique(asked, return_inverse=True)
        vectors = self._vectors([config.item_prompt + self.items[item] for item in needed])  # (distinct items, dim)
        places = np.zeros(hard.shape, np.int64)
        places[hard != NO_ITEM] = place[len(rows) : len(place) - len(had.values)]
        people = (
            self._means(vectors[self._tensor(place[len(place) - len(had.values) :])], had)
            if config.person == "items"
            else self._vectors([self.people[row] for row in rows])
        )
        expected = config.log_q * examples.log_expected(config.batch)[examples.items[rows]]
        tell = self._tensor
        loss = in_batch_softmax(
            people / config.temperature,
            vectors[tell(place[: len(rows)])],
            vectors[tell(places)],
            tell(expected),
            tell(examples.clash(rows)),
            tell(hard == NO_ITEM),
        )
        return loss + self.tuned.penalty() / n_processes()

    def _vectors(self, texts: list[str]) -> Tensor:
        """(N, dim) unit rows, with gradients for this process's share of them."""
        n, mine = len(texts), share(len(texts))
        vectors = self.network.vectors(texts[mine] or texts[:1], BATCH_TOKENS)  # a network is not asked about nothing
        return gathered(functional.normalize(vectors, dim=-1)[: mine.stop - mine.start], n)

    def _means(self, vectors: Tensor, had: Ragged) -> Tensor:
        """(B, dim) unit rows in the direction of the means of the vectors (N, dim) that stand in the rows of `had`."""
        sums = torch.zeros(len(had), vectors.shape[1], device=vectors.device)
        return functional.normalize(sums.index_add(0, self._tensor(had.row_of), vectors), dim=-1)

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.network.model.device)


def told_items(data: Dataset, texts: tuple[str, ...]) -> Bools:
    """(n_items,) which have a text; an id that stands in for a missing title is none."""
    named = zip(texts, data.items.ids.ids, strict=True)
    return np.array([text.rstrip(". ") not in ("", name) for text, name in named], np.bool_)


def people_of(histories: Ragged, data: Dataset, config: EncoderTunerConfig) -> tuple[str, ...]:
    """(B) texts of histories with the prompt before them; none where histories are read item by item."""
    if config.person == "items":
        return ()
    texts = history_texts(histories, data.items.title, person_style(config))
    return tuple(config.query_prompt + text for text in texts)


def person_style(config: EncoderTunerConfig) -> RenderConfig:
    """So short, about, that the tokenizer, which would cut the newest titles, has nothing to cut."""
    return RenderConfig(last=config.last, max_chars=3 * config.max_tokens)


def shorten(model: SentenceTransformer, room: int) -> None:
    model.max_seq_length = min(model.max_seq_length or room, room)


def _thinned(text: str, share: float, rng: np.random.Generator) -> str:
    """A text without a random share of its words; at least one stays."""
    words = text.split()
    kept = rng.random(len(words)) >= share
    kept[rng.integers(len(words))] = True
    return " ".join(word for word, stays in zip(words, kept, strict=True) if stays)
