"""Several processes that train one network as one: each has a share of every batch, all take the same step.

`accelerate launch` or `torchrun` starts them and tells them apart in their environment.
"""

import os
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, distributed, nn

from palate.errors import ConfigError
from palate.runtime import n_processes, rank

T = TypeVar("T")


def joined() -> None:
    """This process meets the others; nothing where it is alone, or has met them."""
    if n_processes() > 1 and not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")


def alone(what: str) -> None:
    """Raises ConfigError where there are several processes, for what can only run in one."""
    if n_processes() > 1:
        raise ConfigError(f"{what}: runs in one process, not in {n_processes()}; start it without a launcher")


def share(n: int) -> slice:
    """Which of n rows are this process's; the shares differ by one row at most."""
    return _shares(n)[rank()]


def gathered(own: Tensor, n: int) -> Tensor:
    """(n, dim) the rows of all processes; gradients go to this process's own rows, which `share` gave it.

    So each process has the loss of the whole batch and its own rows' part of the gradient; the sum over all processes
    is the gradient that one process would have.
    """
    if n_processes() == 1:
        return own
    shares = _shares(n)
    room = own.new_zeros((max(one.stop - one.start for one in shares), own.shape[1]))
    room[: len(own)] = own.detach()
    parts = [torch.empty_like(room) for _ in shares]
    distributed.all_gather(parts, room)
    rows = [part[: one.stop - one.start] for part, one in zip(parts, shares, strict=True)]
    rows[rank()] = own
    return torch.cat(rows)


def sum_gradients(model: nn.Module) -> None:
    """Each gradient becomes the sum of all processes' gradients."""
    if n_processes() == 1:
        return
    for part in model.parameters():
        if part.requires_grad:
            part.grad = torch.zeros_like(part) if part.grad is None else part.grad
            distributed.all_reduce(part.grad)


def agreed(value: T) -> T:
    """What the first process says, in every process."""
    if n_processes() == 1:
        return value
    said = [value]
    distributed.broadcast_object_list(said)
    return said[0]


def _shares(n: int) -> list[slice]:
    cuts = [n * place // n_processes() for place in range(n_processes() + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]
