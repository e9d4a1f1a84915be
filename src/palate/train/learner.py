"""The sequence model while it learns: item table and network as one, with the loss of a batch."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.config import option, options
from palate.precision import quick
from palate.retrieve.backbone import backbone
from palate.retrieve.sequence import SequenceConfig
from palate.train.softmax import full_softmax, lead, sampled_softmax
from palate.train.table import ItemTable, unit_rows
from palate.types import Floats, Ints, Longs


@options
class LearnerConfig(SequenceConfig):
    dropout: float = option(0.3, "Share of the network's values dropped at random.", low=0.0, high=0.9)
    id_dropout: float = option(0.1, "Share of items that are text and attributes alone in a step.", low=0.0, high=0.9)
    smoothing: float = option(
        0.2, "Share of a target's chance that is spread evenly over the catalogue.", low=0.0, high=0.9
    )
    sample_above: int = option(5000, "Catalogue size above which the softmax is sampled.", low=0)
    negatives: int = option(2048, "Items that a sampled softmax draws in a step.", low=1)


class Learner(nn.Module):
    """content: (n, width) what is known of each item; counts: (n,) how often it is in the training windows.

    stream: what a step draws from, its own, so that several can learn beside each other in threads.
    """

    log_chance: Tensor

    def __init__(self, config: LearnerConfig, content: Floats, counts: Longs) -> None:
        super().__init__()
        self.config, self.stream = config, torch.Generator()
        self.table = ItemTable(torch.from_numpy(content), config.dim, config.id_dropout, self.stream)
        self.network = backbone(
            config.backbone,
            dim=config.dim,
            layers=config.layers,
            heads=config.heads,
            length=config.length,
            dropout=config.dropout,
            stream=self.stream,
        )
        chance = 0.5 * counts / max(counts.sum(), 1) + 0.5 / max(len(counts), 1)  # to be drawn as a negative
        self.register_buffer("log_chance", torch.from_numpy(np.log(chance)).float(), persistent=False)

    def loss(self, batch: tuple[Ints, Ints]) -> Tensor:
        """Mean over the real targets of (events, targets), each (B, L) with -1 where padded on the right."""
        events, targets = (torch.from_numpy(part).long() for part in batch)
        real = targets >= 0
        events, targets = events.clamp(min=0), targets[real]
        share = self.config.smoothing
        if len(self.log_chance) <= self.config.sample_above:
            vectors = self.table()
            states, items = self._states(vectors, events)[real], self._directions(vectors)
            return full_softmax(states, items, targets) + share * lead(states, items, targets, items.mean(0))
        drawn = torch.multinomial(self.log_chance.exp(), self.config.negatives, replacement=True, generator=self.stream)
        rows = torch.unique(torch.cat([events.flatten(), targets, drawn]))  # only these vectors are made
        events, targets, drawn = (torch.searchsorted(rows, part) for part in (events, targets, drawn))
        vectors, log_chance = self.table(rows), self.log_chance[rows]
        states, items = self._states(vectors, events)[real], self._directions(vectors)
        each = torch.exp(-log_chance[drawn]) / (len(self.log_chance) * len(drawn))  # so that their sum tends to 1
        mean = each @ items[drawn]
        loss = sampled_softmax(states, items, targets, drawn, log_chance)
        return loss + share * lead(states, items, targets, mean)

    def _states(self, vectors: Tensor, events: Tensor) -> Tensor:
        """(B, L, dim), unit rows divided by the temperature where there is one."""
        low = quick("cpu") == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16, enabled=low, cache_enabled=False):  # threads share its cache
            states: Tensor = self.network(functional.embedding(events, vectors)).float()
        return functional.normalize(states, dim=-1) / self.config.temperature if self.config.temperature else states

    def _directions(self, vectors: Tensor) -> Tensor:
        return unit_rows(vectors) if self.config.temperature else vectors
