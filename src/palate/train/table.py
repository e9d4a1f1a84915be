"""Item vectors as they are trained: an id part, which is dropped at random, and a linear map of what is known."""

from typing import Any

import torch
from torch import Tensor, nn

from palate.precision import quick

SMALL = 0.02  # deviation of untrained id parts


class _LowProduct(torch.autograd.Function):
    """rows @ weight.T in the precision of the rows, which need no gradient."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return (rows @ weight.to(rows.dtype).T).float()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        (rows,) = ctx.saved_tensors
        return None, (grads[0].to(rows.dtype).T @ rows).float()


class _Unit(torch.autograd.Function):
    """Rows divided by their length; torch's own way back goes through memory three times as often."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(rows, dim=1, keepdim=True).clamp_(min=1e-12)
        unit: Tensor = rows / length
        ctx.save_for_backward(unit, length)
        return unit

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        unit, length = ctx.saved_tensors
        along = torch.linalg.vecdot(grads[0], unit)[:, None]
        across: Tensor = torch.addcmul(grads[0], unit, along, value=-1)
        return across.div_(length)


def unit_rows(rows: Tensor) -> Tensor:
    """(N, dim) each row divided by its length."""
    return _Unit.apply(rows)  # type: ignore[no-any-return, no-untyped-call]


class ItemTable(nn.Module):
    """content: (n_items, width) float32, held in the quickest precision; stream: what id dropout draws from."""

    content: Tensor

    def __init__(self, content: Tensor, dim: int, id_dropout: float, stream: torch.Generator | None = None) -> None:
        super().__init__()
        self.register_buffer("content", content.to(quick("cpu")), persistent=False)
        self.id_dropout, self.stream = id_dropout, stream
        self.ids = nn.Parameter(torch.randn(len(content), dim) * SMALL)
        reach = content.shape[1] ** -0.5 if content.shape[1] else 0.0
        self.weight = nn.Parameter(torch.empty(dim, content.shape[1]).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, rows: Tensor | None = None) -> Tensor:
        """(N, dim) the vectors of these items, or of all."""
        ids: Tensor = self.ids
        content = self.content
        if rows is not None:
            ids, content = (part.index_select(0, rows) for part in (ids, content))  # indexing by [] is slower
        if self.training and self.id_dropout:
            ids = ids * (torch.rand(len(ids), 1, generator=self.stream) >= self.id_dropout)
        told: Tensor = _LowProduct.apply(content, self.weight)  # type: ignore[no-untyped-call]
        return ids + told + self.bias
