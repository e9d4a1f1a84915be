"""Lists, and what their people liked next, to a decoder tuned on them and the ranker that asks it."""

import hashlib
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from string import ascii_uppercase as LETTERS
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palate.config import narrowed, option, options
from palate.contracts import Retriever
from palate.data.audit import refuse_leaks, told_targets
from palate.data.dataset import Dataset
from palate.data.split import Holdout, Split
from palate.errors import DataError
from palate.generate.causal import CausalNetwork
from palate.generate.local import DEFAULT_MODEL, LocalGenerator, LocalGeneratorConfig
from palate.rank.cross import standardised
from palate.rank.llm import LLMRanker, LLMRankerConfig
from palate.rank.position import position_bias
from palate.runtime import Runtime
from palate.text.prompt import VERDICTS, PromptConfig
from palate.train.diary import Diary, Told, compared, peak_mb
from palate.train.folder import fresh
from palate.train.holdout import ENOUGH, hold_out
from palate.train.llm_folder import PART, refuse_taken, write
from palate.train.loop import Epochs, LoopConfig, train
from palate.train.questions import Lesson, Lists, Question, lesson
from palate.tuning.methods import METHODS, MethodConfig
from palate.tuning.packed import packed
from palate.tuning.tuned import Tuned, check, tunable
from palate.types import Floats, Ints, Queries, Ragged, Slate

C = TypeVar("C")
_METHODS = tuple(name for name, method in METHODS.items() if "decoder" in method.kinds)

LEAST = 4 * ENOUGH  # lists with the target in the first places, of which a quarter judges


@options
class LLMTrainerConfig(LLMRankerConfig, PromptConfig, MethodConfig, LoopConfig):
    model: str = option(DEFAULT_MODEL, "A known model, a folder with safetensors or a hub id.")
    dtype: str = option(
        "fp32",
        "Arithmetic of the network while tuning and in use; what learns beside it is fp32.",
        choices=("auto", "fp32", "bf16"),
    )
    method: str = option("lora", "What learns; see `METHODS`.", choices=_METHODS)
    how: str = option(
        "pointwise", "pointwise: yes or no for each candidate; listwise: a letter among several.",
        choices=("pointwise", "listwise"),
    )  # fmt: skip
    depth: int = option(10, "How many places are asked about, from the first; the rest keep their order.", low=2)
    candidates: int = option(50, "Places of the lists that teach, at least `depth`.", low=2)
    negatives: int = option(1, "Candidates beside each target that a pointwise model learns to say no to.", low=1)
    people: int = option(1000, "People whose last like is held out, at most half of all.", low=1)
    lists: int = option(1000, "Lists that teach, at most.", low=1)
    held_out: int = option(200, "Lists that choose the epoch or judge, half each, at most.", low=2 * ENOUGH)
    batch: int = option(4, "Prompts that go through the network at once while it learns.", low=1)
    accumulate: int = option(4, "Batches whose gradients are averaged before a step.", low=1)
    epochs: int = option(3, "Epochs, at most.", low=1)
    learning_rate: float = option(0.0, "Largest step of the optimiser; 0 takes what the method usually wants.", low=0.0)
    warm_up: float = option(0.1, "Share of the run in which the step grows; then it falls to 0.", low=0.0, high=1.0)
    weight_decay: float = option(0.01, "Pull of what learns towards 0.", low=0.0)
    clip: float = option(1.0, "Length at which a gradient is cut.", low=0.0)
    patience: int = option(2, "Epochs without a better result before training ends.", low=1)


@dataclass(frozen=True, eq=False)
class LLMTrainer:
    """Tunes a decoder by any method of `palate.tuning` on the questions that `LLMRanker` asks.

    pointwise: whether the target, and others of its list, would be liked: cross-entropy of yes and no, which is that
    of the log-odds. listwise: which letter stands beside the target, in an order drawn anew each epoch:
    cross-entropy of the letters. Beside it, the lists that choose the epoch teach, by a conditional logit, how far to
    hear the model and how far to trust the slate's own score. Lists that judge are asked before and after, and the
    ranker is used only if they get better on average.

    profiles: what is known of people, by user id.
    told: after each epoch its number from 1, loss, quality and the seconds so far.
    """

    config: LLMTrainerConfig = LLMTrainerConfig()
    profiles: Mapping[str, str] = field(default_factory=dict)
    told: Told = lambda _: None

    def within(self, seconds: float) -> "LLMTrainer":
        """The same with so much time at most for tuning and asking."""
        return replace(self, config=replace(self.config, seconds=min(self.config.seconds, seconds)))

    def taught(
        self, data: Dataset, queries: Queries, slate: Slate, targets: Ints, runtime: Runtime
    ) -> tuple[LLMRanker | None, dict[str, Any]]:
        """See `contracts.ListTrainer`."""
        try:
            ranker, _, record = self.learned(data, Lists(queries, slate, targets), runtime)
        except DataError as error:
            return None, {"used": False, "reason": str(error)}
        return (ranker if record["used"] else None), record

    def learned(self, data: Dataset, lists: Lists, runtime: Runtime) -> tuple[LLMRanker, Tuned, dict[str, Any]]:
        """The ranker, the network with the part that learned, and the record. Goes on from a checkpoint in
        `runtime.work`, if there is one of this seed, these options, these lists and this model.

        Raises DataError where too few lists hold what was liked.
        """
        start, config = time.perf_counter(), self.config
        if (near := int(lists.holds(config.depth).sum())) < LEAST:
            raise DataError(
                f"likes: of {len(lists)} people whose last like could be held out, {near} have it among their first "
                f"{config.depth} candidates; tuning needs {LEAST} to tell whether it helps, so bring more data or "
                "raise depth"
            )
        teachers, choosers, judges = lists.parted(config.depth, config.lists, config.held_out, runtime.rng("llm.lists"))
        generator = LocalGenerator(LocalGeneratorConfig(model=config.model, dtype=config.dtype))
        plain = generator.open()
        check(plain.model, config.method)
        bare = self._asker(generator.holding(plain)).fit(data, runtime)
        before = _Measured.of(bare, judges)
        left = config.seconds - 3 * (time.perf_counter() - start)
        asked = lesson(bare, teachers, config.negatives, config.batch)
        base = generator.identity.removeprefix(config.model).strip()
        people = str(sorted(self.profiles.items()))
        name = run_name(config, runtime, base, data.fingerprint(), lists.fingerprint(), people)
        diary = Diary(runtime.work and runtime.work / f"{name}.jsonl", start, self.told)
        course = Course.of(config, generator, plain, asked, runtime)
        ranker = replace(bare, generator=generator.holding(course.network))
        qualities = course.run(name, lambda: _weighed(ranker, choosers)[1], max(left, 0.0), runtime, diary)
        (ranker, _), after = _weighed(ranker, choosers), _Measured.of(ranker, judges)
        judged = compared(judges.quality(before.prior), judges.quality(ranker.mixed(after.said, after.prior)))
        record: dict[str, Any] = {
            "options": asdict(replace(config, seconds=min(config.seconds, sys.float_info.max))),
            "seed": runtime.seed,
            "base": base,
            "data": data.fingerprint(),
            "lists": {"taught": len(teachers), "chose": len(choosers), "judged": len(judges)},
            "questions": asked.n_questions,
            "trainable": course.tuned.trainable(),
            "weights": sum(value.numel() for value in course.tuned.model.parameters()),
            "epochs": diary.upto(len(qualities)),
            "heard": ranker.heard_,
            "trust": ranker.trust_,
            "judged": judged,
            "alone": compared(judges.quality(before.said), judges.quality(after.said)),
            "position_bias": {"before": before.bias, "after": after.bias},
            "used": judged["change"] > 0,
            "seconds": round(time.perf_counter() - start, 1),
            "peak_mb": peak_mb(),
        }
        model = LocalGenerator(generator.config, packed(course.tuned))
        ranker = replace(ranker, generator=model.holding(course.network), record_=record, identity_=model.identity)
        return ranker, course.tuned, record

    def _asker(self, generator: LocalGenerator) -> LLMRanker:
        """An untuned ranker with these options."""
        return LLMRanker(
            narrowed(LLMRankerConfig, self.config), generator, narrowed(PromptConfig, self.config), self.profiles
        )


def tune(trainer: LLMTrainer, data: Dataset, retriever: Retriever, out: Path, runtime: Runtime) -> dict[str, Any]:
    """Holds out people's last likes, lists candidates with a retriever that has not seen them, writes what the trainer
    learns to the folder `out`, see `llm_folder`, and returns its record.

    Raises DataError where too few lists hold what was liked, LeakError where profiles tell of it, StoreError where
    `out` holds something else.
    """
    refuse_taken(out)
    config = trainer.config
    rest, queries, targets = hold_out(data, min(config.people, data.n_users // 2), runtime.rng("tune"))
    refuse_leaks(
        told_targets(_held(rest, queries, targets), [trainer.profiles.get(one, "") for one in rest.users.ids.ids])
    )
    slate = retriever.fit(rest, runtime).retrieve(queries, max(config.candidates, config.depth))
    ranker, tuned, record = trainer.learned(rest, Lists(queries, slate, targets), runtime)
    with fresh(out) as made:
        tuned.save(made / PART)
        write(made, ranker if record["used"] else None, trainer.profiles, record)
    return record


@dataclass(frozen=True, eq=False)
class Course:
    """A network on its way, with what it is asked."""

    config: LLMTrainerConfig
    generator: LocalGenerator
    network: CausalNetwork
    tuned: Tuned
    lesson: Lesson

    @staticmethod
    def of(
        config: LLMTrainerConfig, generator: LocalGenerator, plain: CausalNetwork, asked: Lesson, runtime: Runtime
    ) -> "Course":
        """The network replaced by one of which the method's part learns; its tokenizer asks as it did."""
        steps = config.epochs * math.ceil(asked.n_batches / config.accumulate)
        device = plain.model.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(runtime.rng("llm.start").integers(2**62)))
            tuned = tunable(plain.model, config, max(steps, 1)).to(device)
        network = CausalNetwork.of(tuned, plain.tokenizer)
        return Course(config, generator.holding(network), network, tuned, asked)

    def run(
        self, name: str, quality: Callable[[], float], seconds: float, runtime: Runtime, diary: Diary
    ) -> list[float]:
        """Leaves the network as it was in its best epoch, and returns each epoch's quality."""
        config = self.config
        rate = config.learning_rate or METHODS[config.method].learning_rate
        with torch.random.fork_rng(devices=[]):
            return train(
                self.tuned,
                self.loss,
                Epochs(self.lesson.batches, self.lesson.n_batches),
                quality,
                replace(config, learning_rate=rate, seconds=seconds),
                runtime,
                name,
                accumulate=config.accumulate,
                after_step=self.tuned.stepped,
                after_epoch=diary.note,
            )

    def loss(self, batch: list[Question]) -> Tensor:
        """Mean of minus the log of the right answer's share among the answers."""
        lettered, most = self.config.how == "listwise", max(one.n for one in batch)
        answers = list(LETTERS[:most]) if lettered else list(VERDICTS[self.config.language])
        asked = self.generator.asked([one.prompt for one in batch], answers)
        told = self.network.told(asked.sequences, asked.targets)
        cells = {(row, at): value for (row, columns), part in zip(asked.cells, told, strict=True)
                 for at, value in zip(columns, part, strict=True)}  # fmt: skip
        shares = [torch.stack([cells[row, at] for at in range(one.n)]) for row, one in enumerate(batch)]
        losses = [-functional.log_softmax(part, dim=0)[one.right] for part, one in zip(shares, batch, strict=True)]
        return torch.stack(losses).mean() + self.tuned.penalty()


@dataclass(frozen=True, eq=False)
class _Measured:
    """What a model says of the first places (B, depth), what the slate brought, and its love of letters."""

    said: Floats
    prior: Floats
    bias: dict[str, float] | None

    @staticmethod
    def of(ranker: LLMRanker, lists: Lists) -> "_Measured":
        first = lists.slate.top(min(ranker.config.depth, lists.slate.k))
        bias, told = None, None
        if ranker.config.how == "listwise":
            told = position_bias(ranker, lists.queries, lists.slate)
        if told and told.requests:
            bias = {"requests": told.requests, "kept": told.kept, "letter": told.mean_letter, "unbiased": told.unbiased}
        return _Measured(ranker.scores(lists.queries, first.items), standardised(first), bias)


def _weighed(ranker: LLMRanker, lists: Lists) -> tuple[LLMRanker, float]:
    """The same, told by these lists how far to hear the model and how far to trust the slate, and how good they are."""
    found = _Measured.of(ranker, lists)
    heard, trust = lists.worth(found.said, found.prior)
    ranker = replace(ranker, heard_=heard, trust_=trust)
    return ranker, float(lists.quality(ranker.mixed(found.said, found.prior)).mean())


def run_name(config: LLMTrainerConfig, runtime: Runtime, *what: str) -> str:
    """The name of a run, another for each seed, options and data, and the same wherever the model lies."""
    chosen = sorted((name, value) for name, value in asdict(config).items() if name != "model")
    return f"llm-{hashlib.sha256(' '.join(map(str, (runtime.seed, chosen, *what))).encode()).hexdigest()[:12]}"


def _held(rest: Dataset, queries: Queries, targets: Ints) -> Split:
    """What is held out, as the audit reads it."""
    truth, nothing = Ragged.of([[target] for target in targets]), rest.with_events(np.zeros(len(rest.events), np.bool_))
    return Split(
        "held-out likes",
        rest,
        Holdout(queries.users, truth, rest, nothing),
        Holdout(queries.users[:0], Ragged.empty(0), rest, nothing),
    )
