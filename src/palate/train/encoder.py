"""A data set to a text encoder tuned on it: people's texts come to lie near the texts of what they like next."""

import json
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from palate.assets import fingerprint, model_folder
from palate.bars import without_bars
from palate.contracts import Retriever
from palate.data.dataset import Dataset
from palate.encode.forward import BASE, PART, Network
from palate.errors import DataError, StoreError
from palate.retrieve.neighbours import ItemKNN
from palate.runtime import Runtime, rank
from palate.text.render import RenderConfig, item_texts
from palate.train.course import Course, EncoderTunerConfig, people_of, shorten, told_items
from palate.train.diary import Diary, Told, compared, peak_mb
from palate.train.folder import fresh
from palate.train.holdout import ENOUGH, hold_out
from palate.train.judge import Judge
from palate.train.processes import joined
from palate.train.track import concluded
from palate.tuning.methods import METHODS
from palate.tuning.tuned import Tuned

RECORD = "tuning.json"


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
        if not told_items(data, texts).any():
            raise DataError("items: none has a title, description or tags, so there is nothing for an encoder to read")
        rest, judges, choosers = self._held_out(data, texts, runtime)
        network = Network.open(folder, config.max_tokens, "auto")
        before = judges.quality(network) if judged and not rank() else None
        judging = time.perf_counter() - start
        course = Course.of(config, rest, self.retriever.fit(rest, runtime), texts, network, runtime)
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
        known = told_items(data, texts)
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
        people = people_of(queries.histories, data, self.config)
        judge = Judge(
            queries, targets, people, self.config.item_prompt, texts, among.astype(np.int32), self.config.last
        )
        return rest, judge.take(slice(half)), judge.take(slice(half, None))


def free(out: Path) -> None:
    """Raises StoreError where the folder holds something else than a tuned encoder."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / RECORD).is_file())):
        raise StoreError(f"{out}: exists and is not a tuned encoder; choose another folder or remove it")


def _written(out: Path, tuned: Tuned, base: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The folder in one step: what merges as one model, else the base and the part side by side."""
    with fresh(out) as made:
        if tuned.method.method != "full":
            tuned.save(made / PART)
        plain = Network.open(base, sys.maxsize, "fp32").model
        merges = METHODS[tuned.method.method].merges
        if merges:
            plain[0].model = tuned.merged().cpu()
        else:
            shorten(plain, tuned.room)
        with without_bars():
            plain.save(str(made if merges else made / BASE), create_model_card=False)
        part = made / PART if (made / PART).is_dir() else made
        weights = sum(file.stat().st_size for file in part.rglob("*.safetensors"))
        record = {**record, "part_mb": round(weights / 2**20, 3)}
        (made / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf8")
    return record
