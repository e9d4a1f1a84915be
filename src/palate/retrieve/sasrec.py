"""The network of the sequence model: item vectors of a history to a state that points at the next item.

SASRec (Kang and McAuley, 2018, ICDM) in the pre-norm form: causal self-attention over at most `length` events with
learned positions. Item tables come from outside, so that ids, texts and attributes can share one.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from palate.retrieve.dropout import Dropout


class Block(nn.Module):
    """Attention and a two-layer feed-forward net, each normalised before and added to what came in."""

    def __init__(self, dim: int, heads: int, dropout: Dropout) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attend, self.norm_forward = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:  # (B, L, dim)
        b, length, dim = x.shape
        qkv = self.qkv(self.norm_attend(x)).view(b, length, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, L, dim / heads)
        attended = self.dropout.attended(query, key, value)
        x = x + self.dropout(self.out(attended.transpose(1, 2).reshape(b, length, dim)))
        narrow: Tensor = self.dropout(self.narrow(functional.gelu(self.wide(self.norm_forward(x)))))
        return x + narrow


class SASRec(nn.Module):
    """Vectors of events (B, L, dim), oldest first and padded on the right, to states (B, L, dim).

    The state at a place depends on the events up to it alone, so padding needs no mask.
    """

    def __init__(self, dim: int, layers: int, heads: int, length: int, dropout: Dropout) -> None:
        super().__init__()
        self.dropout = dropout
        self.places = nn.Parameter(torch.randn(length, dim) * 0.02)
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, events: Tensor) -> Tensor:
        x = self.dropout(events + self.places[: events.shape[1]])
        for block in self.blocks:
            x = block(x)
        states: Tensor = self.norm(x)
        return states
