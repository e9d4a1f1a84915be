"""The recurrent network of the sequence model: item vectors of a history to a state that points at the next item.

GRU4Rec (Hidasi et al., 2016, ICLR): gated recurrent units over the events. Item tables come from outside.
"""

from torch import Tensor, nn
from torch.nn import functional


class GRU4Rec(nn.Module):
    """Vectors of events (B, L, dim), oldest first and padded on the right, to states (B, L, dim).

    The state at a place depends on the events up to it alone, so padding needs no mask.
    """

    def __init__(self, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.units = nn.GRU(dim, dim, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.out, self.norm = nn.Linear(dim, dim), nn.LayerNorm(dim)

    def forward(self, events: Tensor) -> Tensor:
        x, _ = self.units(functional.dropout(events, self.dropout, self.training))
        states: Tensor = self.norm(self.out(functional.dropout(x, self.dropout, self.training)))
        return states
