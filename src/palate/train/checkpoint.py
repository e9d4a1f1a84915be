"""A training run to one file and back, so that a run that was killed goes on where its last epoch ended."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from palate.runtime import log

State = dict[str, Tensor]


def write(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, best: State, qualities: list[float]) -> None:
    """Replace the file in one step; `qualities` has one number for each epoch that is done."""
    moments = {
        f"{place}.{name}": value
        for place, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }
    parts = {"model": model.state_dict(), "best": best, "moments": moments}
    tensors = {f"{part}.{name}": value.contiguous() for part, state in parts.items() for name, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    save_file(tensors, fresh, metadata={"qualities": json.dumps(qualities)})
    os.replace(fresh, path)


def read(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[State, list[float]]:
    """The best weights and the quality of each epoch done, model and optimiser set back to the last of them.

    ({}, []) where there is no file, or a damaged one, which is told in the log.
    """
    if not path.is_file():
        return {}, []
    try:
        with safe_open(path, "pt") as file:
            qualities: list[float] = json.loads(file.metadata()["qualities"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        log.warning("%s: damaged checkpoint (%s); training starts anew", path, error)
        return {}, []
    model.load_state_dict(_part(tensors, "model"))
    moments: dict[int, dict[str, Any]] = {}
    for name, value in _part(tensors, "moments").items():
        place, what = name.split(".", 1)
        moments.setdefault(int(place), {})[what] = value
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    return _part(tensors, "best"), qualities


def _part(tensors: Mapping[str, Tensor], part: str) -> State:
    return {name.removeprefix(f"{part}."): value for name, value in tensors.items() if name.startswith(f"{part}.")}
