"""The full softmax over a catalogue, in row chunks and low precision: states and item vectors to one loss."""

from typing import Any

import torch
from torch import Tensor

CHUNK = 2048  # rows of logits held at once


class _FullSoftmax(torch.autograd.Function):
    """Gradients are made in the forward pass, while a chunk's probabilities are at hand, so logits are never kept."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        table = items.to(torch.bfloat16)
        state_grad, item_grad = torch.empty_like(states), torch.zeros_like(items)
        loss = states.new_zeros(())
        for start in range(0, len(states), CHUNK):
            rows = slice(start, start + CHUNK)
            state, target = states[rows].to(torch.bfloat16), targets[rows, None]
            logits = (state @ table.T).float()  # (chunk, n_items)
            logits -= logits.amax(1, keepdim=True)
            chosen = logits.gather(1, target)
            probability = logits.exp_()
            total = probability.sum(1, keepdim=True)
            loss += (total.log() - chosen).sum()
            error = probability.div_(total)
            error.scatter_add_(1, target, error.new_full(target.shape, -1.0))
            error_low = error.to(torch.bfloat16)
            state_grad[rows] = (error_low @ table).float()
            item_grad += (error_low.T @ state).float()
        ctx.save_for_backward(state_grad / len(states), item_grad / len(states))
        return loss / len(states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        state_grad, item_grad = ctx.saved_tensors
        return state_grad * grads[0], item_grad * grads[0], None


def full_softmax(states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the true next items against the whole catalogue.

    states: (N, dim) float32; items: (n_items, dim) float32; targets: (N,) row numbers. Products run in bfloat16,
    sums in float32: the loss agrees with float32 to about 1e-3.
    """
    return _FullSoftmax.apply(states, items, targets)  # type: ignore[no-any-return, no-untyped-call]
