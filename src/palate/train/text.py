"""A data set to dense text retrieval with an encoder tuned on it, kept only where it is no worse than before."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import DataError
from palate.retrieve.dense import Dense, DenseConfig
from palate.runtime import Runtime, log
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
from palate.train.processes import alone
from palate.tuning.packed import packed


@options
class TextTrainerConfig(EncoderTunerConfig):
    """Of a person read item by item, as `Dense` reads one."""

    person: str = option("items", "What stands for a person; see EncoderTunerConfig.", choices=("items",))
    max_tokens: int = option(64, "Tokens after which a text is cut.", low=8)
    last: int = option(5, "Liked items that tell of a person while tuning, the newest.", low=1)
    epochs: int = option(2, "Epochs, at most.", low=1)
    decay: float = option(0.8, "When asked: see DenseConfig.", low=0.0, high=1.0)
    focus: float = option(0.0, "When asked: see DenseConfig.", low=0.0, high=50.0)


@dataclass(frozen=True, eq=False)
class TextTrainer:
    """Tunes the encoder of a `Dense`, which it becomes by `fit`; fused like any other retriever.

    Part of the people judges the tuned encoder and is not learned from; where it is worse than before, the encoder
    stays as it was. `record` of what comes out tells both numbers.
    """

    config: TextTrainerConfig = TextTrainerConfig()

    reads: ClassVar[frozenset[Source]] = frozenset({"history", "text"})

    def fit(self, data: Dataset, runtime: Runtime) -> Dense:
        alone("tuned-dense")
        config = self.config
        form = TransformerConfig(
            model=config.model,
            max_tokens=config.max_tokens,
            query_prompt=config.query_prompt,
            item_prompt=config.item_prompt,
        )
        encoder, record = TransformerEncoder(form), dict[str, Any]()
        try:
            tuned, record = EncoderTuner(config).learned(data, runtime)
        except DataError as error:
            log.info("the encoder stays as it was: %s", error)
            record = {"kept": False, "reason": str(error)}
        else:
            found = record["held_out"]
            kept = found["after"] >= found["before"]
            record = {"kept": kept, **record, "epochs": tuple(record["epochs"])}
            encoder = replace(encoder, part_=packed(tuned)) if kept else encoder
        dense = Dense(DenseConfig(decay=config.decay, focus=config.focus), encoder=encoder, record=record)
        return dense.fit(data, runtime)

    def within(self, seconds: float) -> "TextTrainer":
        """The same with the time for tuning; reading all items again takes a small part of it."""
        return replace(self, config=replace(self.config, seconds=seconds))

    def refit(self, fitted: Dense, data: Dataset, runtime: Runtime) -> Dense:
        """All items and people read by the encoder as it was tuned."""
        return fitted.fit(data, runtime)
