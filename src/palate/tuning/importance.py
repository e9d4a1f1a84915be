"""What adalora keeps beside its weights: the importance of each direction, which of them are left, and a penalty."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_KEPT = ("ipt", "exp_avg_ipt", "exp_avg_unc")
_LEFT = "rank_pattern"


def importance(model: Any) -> dict[str, Tensor]:
    """As tensors by name, so that a checkpoint can hold it."""
    allocator, config = model.base_model.rankallocator, model.peft_config["default"]
    found = {f"{kept}/{name}": value for kept in _KEPT for name, value in getattr(allocator, kept).items()}
    pattern = config.rank_pattern or {}
    return {**found, **{f"{_LEFT}/{name}": torch.tensor(left) for name, left in pattern.items()}}


def restore(model: Any, state: Mapping[str, Tensor]) -> None:
    """The opposite of `importance`."""
    allocator, config = model.base_model.rankallocator, model.peft_config["default"]
    for kept in _KEPT:
        setattr(allocator, kept, _under(state, kept))
    config.rank_pattern = {name: left.tolist() for name, left in _under(state, _LEFT).items()} or None


def penalty(model: Any, name: str) -> Tensor:
    """The mean distance of each layer's left and right directions from orthogonal ones, times PEFT's weight for it.

    Reference: Zhang et al. (2023), AdaLoRA, ICLR, equation 4, as in PEFT, without the square.
    """
    distances = []
    for place, value in model.named_parameters():
        if f"lora_A.{name}" in place or f"lora_B.{name}" in place:
            gram = value @ value.T if "lora_A" in place else value.T @ value
            distances.append(torch.linalg.norm(gram - torch.eye(len(gram), device=gram.device)))
    return torch.stack(distances).mean() * float(model.peft_config[name].orth_reg_weight)


def _under(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(f"{part}/"): value.clone() for name, value in state.items() if name.startswith(f"{part}/")
    }
