"""Dropout that draws from a random stream of its own, so that networks can learn in threads beside each other.

What torch has draws from one stream that all threads share. Numbers and their order are the same.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Module):
    """Sets a share of the values to zero while a network learns, and enlarges the others to make up for it.

    stream: what is drawn from; torch's own if None.
    """

    def __init__(self, share: float, stream: torch.Generator | None = None) -> None:
        super().__init__()
        self.share, self.stream = share, stream

    def forward(self, values: Tensor) -> Tensor:
        if not self.training or not self.share:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.share, generator=self.stream)
        return values * kept.div_(1 - self.share)

    def attended(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(..., L, dim) causal attention; of its weights, made in float32 as torch does, a share is dropped."""
        if not self.training or not self.share:
            return functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        length, dim = query.shape[-2:]
        ahead = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
        with torch.autocast(query.device.type, enabled=False):
            left, right, told = (part.float() for part in (query, key, value))
            logits = (left * dim**-0.25) @ (right * dim**-0.25).mT
            weights: Tensor = self(logits.masked_fill(ahead, -torch.inf).softmax(-1))
            return (weights @ told).to(query.dtype)
