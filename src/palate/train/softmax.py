"""States and item vectors to one loss: cross-entropy of the true next items, over the catalogue or over a sample."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from palate.precision import quick

CHUNK = 128  # rows of logits held at once: with 12,000 items they stay in the cache


class _FullSoftmax(torch.autograd.Function):
    """Gradients are made in the forward pass, while a chunk's probabilities are at hand, so logits are never kept."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        table = items.to(quick("cpu"))
        state_grad, item_grad = torch.empty_like(states), torch.zeros_like(items)
        loss = states.new_zeros(())
        for start in range(0, len(states), CHUNK):
            rows = slice(start, start + CHUNK)
            state, target = states[rows].to(table.dtype), targets[rows, None]
            error = torch.softmax(state @ table.T, 1)  # (chunk, n_items)
            loss -= error.gather(1, target).float().clamp_(min=1e-30).log_().sum()
            error[torch.arange(len(target)), target[:, 0]] -= 1  # scatter_add_ copies all of it in bfloat16
            state_grad[rows] = error @ table
            item_grad += error.T @ state
        ctx.save_for_backward(state_grad.div_(len(states)), item_grad.div_(len(states)))
        return loss / len(states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        state_grad, item_grad = ctx.saved_tensors
        return state_grad * grads[0], item_grad * grads[0], None


def full_softmax(states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of the true next items against the whole catalogue.

    Products and probabilities are bfloat16 where that is quick, sums float32: the loss agrees to about 1e-2.

    states: (N, dim) float32; items: (n_items, dim) float32; targets: (N,) row numbers
    """
    return _FullSoftmax.apply(states, items, targets)  # type: ignore[no-any-return, no-untyped-call]


class _SampledSoftmax(torch.autograd.Function):
    """As `_FullSoftmax`, of own items (N, dim) against others (M, dim) whose logits are lessened by `expected` (M,) and
    that do not count where they clash (N, M)."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, own: Tensor, others: Tensor, expected: Tensor, clash: Tensor) -> Tensor:
        state_grad, own_grad, other_grad = torch.empty_like(states), torch.empty_like(own), torch.zeros_like(others)
        loss = states.new_zeros(())
        for start in range(0, len(states), CHUNK):
            rows = slice(start, start + CHUNK)
            state, item = states[rows], own[rows]
            logits = torch.addmm(-expected, state, others.T).masked_fill_(clash[rows], -torch.inf)  # (chunk, M)
            logit = (state * item).sum(1, keepdim=True)
            top = torch.maximum(logits.amax(1, keepdim=True), logit)
            chances, chance = logits.sub_(top).exp_(), torch.exp(logit - top)
            total = chances.sum(1, keepdim=True) + chance
            loss += (total.log() + top - logit).sum()
            error, own_error = chances.div_(total), chance / total - 1
            state_grad[rows] = torch.addcmul(error @ others, own_error, item)
            own_grad[rows] = own_error * state
            other_grad.addmm_(error.T, state)
        ctx.save_for_backward(*(grad.div_(len(states)) for grad in (state_grad, own_grad, other_grad)))
        return loss / len(states)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *(grad * grads[0] for grad in ctx.saved_tensors), None, None


def sampled_softmax(states: Tensor, items: Tensor, targets: Tensor, negatives: Tensor, log_chance: Tensor) -> Tensor:
    """Mean cross-entropy against the true item and sampled ones, which stand for the whole catalogue.

    A drawn item's logit is lessened by the log of how often it is expected among the draws; the true item is always
    there, so that its logit stays. The loss tends to that of the full softmax as the sample grows. A drawn item that
    is the row's own target does not count.

    Reference: Bengio and Senécal (2008), IEEE Transactions on Neural Networks 19(4), section III.

    states: (N, dim); items: (n_items, dim); targets: (N,); negatives: (M,) drawn with replacement;
    log_chance: (n_items,) the log of an item's chance in one draw
    """
    expected = log_chance[negatives] + math.log(len(negatives))
    clash = negatives == targets[:, None]
    own, others = (items.index_select(0, rows) for rows in (targets, negatives))  # indexing by [] is slower
    return _SampledSoftmax.apply(states, own, others, expected, clash)  # type: ignore[no-any-return, no-untyped-call]


def in_batch_softmax(
    states: Tensor, items: Tensor, hard: Tensor, log_expected: Tensor, clash: Tensor, absent: Tensor
) -> Tensor:
    """Mean cross-entropy of each row's own item against the other rows' items and its own hard negatives.

    The logit of another row's item is lessened by the log of how often that item is expected in a batch (log-Q
    correction), so that popular items, which are met as negatives all the time, are not pushed down for it.

    Reference: Yi et al. (2019), Sampling-bias-corrected neural modeling, RecSys, section 3; as in `sampled_softmax`
    the own item, which was not drawn, stays as it is.

    states, items: (B, dim); hard: (B, H, dim); log_expected: (B,) of each item;
    clash: (B, B) the row's user liked that item; absent: (B, H) no hard negative in that place
    """
    scores = states @ items.T
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    others = (scores - log_expected).masked_fill(clash | own, -torch.inf)
    further = (hard @ states[:, :, None])[:, :, 0].masked_fill(absent, -torch.inf)  # (B, H)
    logits = torch.cat([scores.diagonal()[:, None], others, further], 1)
    return functional.cross_entropy(logits, torch.zeros(len(scores), dtype=torch.long, device=scores.device))


def lead(states: Tensor, items: Tensor, targets: Tensor, mean: Tensor) -> Tensor:
    """How far the logit of a target is above the mean logit of the catalogue, on average.

    A cross-entropy plus `share` times this is the cross-entropy against targets of which that share is spread evenly
    over the catalogue (label smoothing; Szegedy et al., 2016, CVPR, section 7).

    states: (N, dim); items: (n_items, dim); targets: (N,); mean: (dim,) of the catalogue's items
    """
    return (states * (items[targets] - mean)).sum(1).mean()
