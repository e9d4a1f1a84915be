"""The network inside the sequence model, by its options, and its states for events that are given as vectors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from palate.retrieve.dropout import Dropout
from palate.retrieve.gru4rec import GRU4Rec
from palate.retrieve.sasrec import SASRec
from palate.types import Floats, Longs


def backbone(
    kind: str,
    *,
    dim: int,
    layers: int,
    heads: int,
    length: int,
    dropout: float = 0.0,
    stream: torch.Generator | None = None,
) -> nn.Module:
    """An untrained network: vectors of events (B, L, dim) to states (B, L, dim). stream: see `Dropout`."""
    dropped = Dropout(dropout, stream)
    return GRU4Rec(dim, layers, dropped) if kind == "gru" else SASRec(dim, layers, heads, length, dropped)


def with_weights(network: nn.Module, weights: Mapping[str, np.ndarray[Any, Any]]) -> nn.Module:
    """The network with these weights by name, ready to be asked."""
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return network.eval()


def last_states(network: nn.Module, events: Floats, lengths: Longs) -> Floats:
    """(B, dim) the state after the last event of each row.

    events: (B, L, dim) oldest first; lengths: (B,) >= 1, what comes after them is not read
    """
    with torch.inference_mode():
        states = network(torch.from_numpy(events))
        found: Floats = states[torch.arange(len(events)), torch.from_numpy(lengths - 1)].numpy()
    return found
