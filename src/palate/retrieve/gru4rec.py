"""The recurrent network of the sequence model: item vectors of a history to a state that points at the next item.

GRU4Rec (Hidasi et al., 2016, ICLR): gated recurrent units over the events. Item tables come from outside.
"""

import torch
from torch import Tensor, nn

from palate.retrieve.dropout import Dropout


class GRU4Rec(nn.Module):
    """Vectors of events (B, L, dim), oldest first and padded on the right, to states (B, L, dim).

    The state at a place depends on the events up to it alone, so padding needs no mask.
    """

    def __init__(self, dim: int, layers: int, dropout: Dropout) -> None:
        super().__init__()
        self.dropout = dropout
        self.units = nn.GRU(dim, dim, layers, batch_first=True)
        self.out, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim)

    def forward(self, events: Tensor) -> Tensor:
        x = events
        for weights in self.units.all_weights:  # layer by layer, as nn.GRU drops from the stream that threads share
            start = x.new_zeros(1, len(x), x.shape[-1])
            x, _ = torch.gru(self.dropout(x), start, [*weights], True, 1, 0.0, self.training, False, True)
        states: Tensor = self.norm(self.out(self.dropout(x)))
        return states
