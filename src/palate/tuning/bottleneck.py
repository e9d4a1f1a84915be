"""Layers that are followed by a small network of ours, several of them by name, one at a time."""

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))), which starts as x because `up` starts at zero; computed in the arithmetic of its own
    weights, whatever x is in.

    Reference: Houlsby et al. (2019), Parameter-efficient transfer learning for NLP, ICML, section 2.1.
    """

    def __init__(self, dim: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, values: Tensor) -> Tensor:
        own = values.to(self.down.weight.dtype)
        change: Tensor = self.up(nn.functional.gelu(self.down(self.dropout(own))))
        return values + change.to(values.dtype)


def identity(dim: int) -> nn.Linear:
    """A linear layer that starts by changing nothing."""
    layer = nn.Linear(dim, dim)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Followed(nn.Module):
    """A layer, and by name what may follow it; `active` says which does, "" none."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.parts = nn.ModuleDict()
        self.active = ""

    def forward(self, values: Tensor) -> Tensor:
        states: Tensor = self.layer(values)
        if self.active:
            states = self.parts[self.active](states)
        return states


def follow(model: nn.Module, names: tuple[str, ...]) -> None:
    """Put every layer with one of these names, or of which they are the end, into a `Followed`, in place."""
    endings = tuple(f".{name}" for name in names)
    for path in [path for path, _ in model.named_modules() if path.endswith(endings)]:
        parent, _, name = path.rpartition(".")
        place = model.get_submodule(parent)
        setattr(place, name, Followed(getattr(place, name)))
