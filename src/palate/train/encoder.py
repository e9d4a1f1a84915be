"""A data set to a text encoder tuned on it: people's texts come to lie near the texts of what they like next."""

import hashlib
import json
import math
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor
from torch.nn import functional

from palate.assets import fingerprint, model_folder
from palate.bars import without_bars
from palate.config import Span, option, options
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.encode.forward import BASE, PART, Network
from palate.errors import DataError, StoreError
from palate.retrieve.neighbours import ItemKNN
from palate.runtime import Runtime, n_processes, rank
from palate.text.render import RenderConfig, history_texts, item_texts
from palate.train.diary import Diary, Told, compared, peak_mb
from palate.train.holdout import ENOUGH, hold_out
from palate.train.judge import Judge
from palate.train.loop import Epochs, LoopConfig, train
from palate.train.pairs import Pairs, PairsConfig, pairs
from palate.train.processes import gathered, joined, share
from palate.train.softmax import in_batch_softmax
from palate.train.track import concluded
from palate.tuning.methods import METHODS, MethodConfig
from palate.tuning.tuned import Tuned, tunable
from palate.types import NO_ITEM, Bools, Longs, Ragged

RECORD = "tuning.json"


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
    held_out: int = option(
        400, "People whose last like is held out: half choose the epoch, half judge.", low=2 * ENOUGH
    )
    catalogue: int = option(2000, "Items among which held-out likes are looked for, at most.", low=10)


@dataclass(frozen=True, eq=False)
class EncoderTuner:
    """Tunes an encoder by any method of `palate.tuning` on a person's text and the text of the item liked next.

    Negatives are the other items of the batch, which are left out where the person likes them and corrected for
    their popularity, and hard ones that the retriever recommends. Half of the held-out people choose the epoch; the
    other half, whom nothing was chosen by, are asked before and after.

    retriever: finds hard negatives; fitted here.
    """

    config: EncoderTunerConfig = EncoderTunerConfig()
    retriever: Retriever = field(default_factory=ItemKNN)

    def fit(
        self, data: Dataset, out: Path, runtime: Runtime, told: Told = lambda _: None, *, judged: bool = True
    ) -> dict[str, Any]:
        """Writes the tuned encoder to the folder `out`, which `TransformerEncoder` opens, and returns its record.

        What merges is in sentence-transformers' layout; else `base` and `adapter` lie side by side. Goes on from a
        checkpoint in `runtime.work`, if there is one of this seed, these options, this data and this model.

        told: after each epoch its number from 1, loss, quality and the seconds so far.
        judged: whether those who judge are asked; a search asks them about its best trial alone.
        Raises DataError where items have no texts or likes are too few, StoreError where `out` holds something else.
        """
        joined()
        free(out)
        learned, record = self.learned(data, runtime, told, judged=judged)
        return record if rank() else _written(out, learned, model_folder(self.config.model), record)

    def learned(
        self, data: Dataset, runtime: Runtime, told: Told = lambda _: None, *, judged: bool = True
    ) -> tuple[Tuned, dict[str, Any]]:
        """The tuned network, and its record; as `fit`, but nothing is written except checkpoints."""
        start, config = time.perf_counter(), self.config
        folder = model_folder(config.model)
        texts = self._texts(data)
        if not _told(data, texts).any():
            raise DataError("items: none has a title, description or tags, so there is nothing for an encoder to read")
        rest, judges, choosers = self._held_out(data, texts, runtime)
        network = Network.open(folder, config.max_tokens, "auto")
        before = judges.quality(network) if judged and not rank() else None
        judging = time.perf_counter() - start
        course = _Course.of(config, rest, self.retriever.fit(rest, runtime), texts, network, runtime)
        left = config.seconds - (time.perf_counter() - start) - 2 * judging
        base = fingerprint(folder)
        name = course.name(base, data, runtime)
        diary = Diary(runtime.work and runtime.work / f"{name}.jsonl", start, told)
        qualities = course.run(name, choosers, max(left, 0.0), runtime, diary)
        judgement = {"held_out": compared(before, judges.quality(network))} if before is not None else {}
        record = {
            "options": asdict(replace(config, seconds=min(config.seconds, sys.float_info.max))),
            "seed": runtime.seed,
            "base": base,
            "data": data.fingerprint(),
            "examples": len(course.pairs),
            "trainable": course.tuned.trainable(),
            "weights": sum(value.numel() for value in course.tuned.model.parameters()),
            "epochs": list(diary.upto(len(qualities))),
            **judgement,
            "seconds": round(time.perf_counter() - start, 1),
            "peak_mb": peak_mb(),
        }
        concluded(runtime, name, judgement.get("held_out", {}))
        return course.tuned, record

    def judged(self, data: Dataset, out: Path, runtime: Runtime) -> dict[str, float]:
        """What those who judge say of the folder `out`, which was tuned with this seed, and of the model before."""
        _, judges, _ = self._held_out(data, self._texts(data), runtime)
        folders = (model_folder(self.config.model), out)
        before, after = (judges.quality(Network.open(one, self.config.max_tokens, "auto")) for one in folders)
        return compared(before, after)

    def _texts(self, data: Dataset) -> tuple[str, ...]:
        return item_texts(data.items, RenderConfig(max_chars=8 * self.config.max_tokens))

    def _held_out(self, data: Dataset, texts: tuple[str, ...], runtime: Runtime) -> tuple[Dataset, Judge, Judge]:
        n_people = min(self.config.held_out, data.n_users // 2)
        rest, queries, targets = hold_out(data, n_people, runtime.rng("tune"))
        known = _told(data, texts)
        written = known[targets]
        queries, targets = queries.take(np.flatnonzero(written)), targets[written]
        if len(queries) < 2 * ENOUGH:
            raise DataError(
                f"likes: only {len(queries)} people with 3 likes or more could be held out, at most half of all; "
                f"tuning needs {2 * ENOUGH} to tell whether it helps, so bring more data or use the encoder as it is"
            )
        half = len(queries) // 2
        sample = runtime.rng("tune.catalogue").permutation(np.flatnonzero(known))
        among = np.union1d(sample[: self.config.catalogue], targets)
        people = _people(queries.histories, data, self.config)
        judge = Judge(
            queries, targets, people, self.config.item_prompt, texts, among.astype(np.int32), self.config.last
        )
        return rest, judge.take(slice(half)), judge.take(slice(half, None))


@dataclass(frozen=True, eq=False)
class _Course:
    """A network on its way, with its examples."""

    config: EncoderTunerConfig
    pairs: Pairs
    people: tuple[str, ...]  # (N) texts of the examples' histories, none where these are read item by item
    items: tuple[str, ...]  # (n_items)
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
    ) -> "_Course":
        """The examples made and the network's inner one replaced by one of which the method's part learns."""
        named = zip(rest.items.title, rest.items.ids.ids, strict=True)
        titled = _told(rest, texts) & np.array([title.strip() not in ("", name) for title, name in named])
        examples = pairs(rest, retriever, titled, config, runtime)
        people = _people(examples.histories, rest, config)
        steps = config.epochs * math.ceil(examples.n_batches(config.batch) / config.accumulate)
        torch.manual_seed(int(runtime.rng("tune.start").integers(2**62)))
        inner = network.model[0]
        tuned = tunable(inner.model, config, max(steps, 1)).to(network.model.device)
        inner.model = tuned
        _shorten(network.model, tuned.room)
        return _Course(config, examples, people, texts, network, tuned)

    def name(self, base: str, data: Dataset, runtime: Runtime) -> str:
        """The name of the run, another for each seed, options, data and base, and the same wherever that lies."""
        options = sorted((name, value) for name, value in asdict(self.config).items() if name != "model")
        what = f"{runtime.seed} {options} {data.fingerprint()} {base}"
        return f"encoder-{hashlib.sha256(what.encode()).hexdigest()[:12]}"

    def run(self, name: str, choosers: Judge, seconds: float, runtime: Runtime, diary: Diary) -> list[float]:
        config = self.config
        rate = config.pace * (config.learning_rate or METHODS[config.method].learning_rate)
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
        model, n, mine = self.network.model, len(texts), share(len(texts))
        n_mine = mine.stop - mine.start
        texts = texts[mine] or texts[:1]  # a network is not asked about nothing
        tokens = {name: part for name, part in model.preprocess(texts).items() if isinstance(part, Tensor)}
        inputs = {name: part.to(model.device) for name, part in tokens.items()}
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.network.bf16):
            vectors: Tensor = model(inputs)["sentence_embedding"]
        return gathered(functional.normalize(vectors.float(), dim=-1)[:n_mine], n)

    def _means(self, vectors: Tensor, had: Ragged) -> Tensor:
        """(B, dim) unit rows in the direction of the means of the vectors (N, dim) that stand in the rows of `had`."""
        sums = torch.zeros(len(had), vectors.shape[1], device=vectors.device)
        return functional.normalize(sums.index_add(0, self._tensor(had.row_of), vectors), dim=-1)

    def _tensor(self, values: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.network.model.device)


def _told(data: Dataset, texts: tuple[str, ...]) -> Bools:
    """(n_items,) which have a text; an id that stands in for a missing title is none."""
    named = zip(texts, data.items.ids.ids, strict=True)
    return np.array([text.rstrip(". ") not in ("", name) for text, name in named], np.bool_)


def _people(histories: Ragged, data: Dataset, config: EncoderTunerConfig) -> tuple[str, ...]:
    """(B) texts of histories with the prompt before them; none where histories are read item by item."""
    if config.person == "items":
        return ()
    texts = history_texts(histories, data.items.title, person_style(config))
    return tuple(config.query_prompt + text for text in texts)


def person_style(config: EncoderTunerConfig) -> RenderConfig:
    """So short, about, that the tokenizer, which would cut the newest titles, has nothing to cut."""
    return RenderConfig(last=config.last, max_chars=3 * config.max_tokens)


def _room(tuned: Tuned) -> int:
    """Tokens of a text for which the network has places beside virtual ones; roberta's two for padding count too."""
    virtual = tuned.method.virtual_tokens if "virtual_tokens" in METHODS[tuned.method.method].reads else 0
    return int(getattr(tuned.config, "max_position_embeddings", sys.maxsize)) - virtual - 2 * bool(virtual)


def _shorten(model: SentenceTransformer, room: int) -> None:
    model.max_seq_length = min(model.max_seq_length or room, room)


def free(out: Path) -> None:
    """Raises StoreError where the folder holds something else than a tuned encoder."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / RECORD).is_file())):
        raise StoreError(f"{out}: exists and is not a tuned encoder; choose another folder or remove it")


def _written(out: Path, tuned: Tuned, base: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The folder in one step: what merges as one model, else the base and the part side by side."""
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        if tuned.method.method != "full":
            tuned.save(fresh / PART)
        plain = Network.open(base, sys.maxsize, "fp32").model
        merges = METHODS[tuned.method.method].merges
        if merges:
            plain[0].model = tuned.merged().cpu()
        else:
            _shorten(plain, tuned.room)
        with without_bars():
            plain.save(str(fresh if merges else fresh / BASE), create_model_card=False)
        part = fresh / PART if (fresh / PART).is_dir() else fresh
        record = {
            **record,
            "part_mb": round(sum(file.stat().st_size for file in part.rglob("*.safetensors")) / 2**20, 3),
        }
        (fresh / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf8")
        if out.exists():
            shutil.rmtree(out)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return record
