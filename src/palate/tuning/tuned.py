"""A transformers network to the same with a part that learns, by method; that part saved, loaded, switched, merged."""

import copy
import json
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peft
import torch
from peft.utils.save_and_load import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from palate.config import configured
from palate.errors import ConfigError, StoreError
from palate.tuning.bottleneck import Bottleneck, Followed, follow, identity
from palate.tuning.importance import importance, penalty, restore
from palate.tuning.methods import ANYWHERE, METHODS, NETWORKS, REFUSED, Kind, MethodConfig

FORMAT = 1
_ABOUT, _WEIGHTS = "adapter.json", "adapter_model.safetensors"
_OWN = ("full", "adapter", "head")  # all others are PEFT's
_TASKS = {"encoder": "FEATURE_EXTRACTION", "decoder": "CAUSAL_LM"}


class Tuned(nn.Module):
    """A network of which a part learns; it answers like the network, one place for each token that goes in.

    Everything else is frozen. `state_dict` is that of the part alone, so that checkpoints are as small as it is.
    Attributes it does not have are the network's. Made by `tunable` and `attached`.
    """

    def __init__(self, model: Any, config: MethodConfig, kind: Kind) -> None:
        super().__init__()
        self.model, self.method, self.kind = model, config, kind
        self.name = "default"
        if config.method == "head":
            self.head = Followed(nn.Identity())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.virtual:
            kwargs.pop("token_type_ids", None)  # virtual tokens have none; without any, all are of the first type
        output = self.model(*args, **kwargs)
        if self.method.method == "head":
            output.last_hidden_state = self.head(output.last_hidden_state)
        if self.method.method == "prompt":  # the virtual tokens' own places
            part = "last_hidden_state" if self.kind == "encoder" else "logits"
            output[part] = output[part][:, self.model.active_peft_config.num_virtual_tokens :]
        return output

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    @property
    def virtual(self) -> int:
        """How many learned places stand before the text."""
        return self.method.virtual_tokens if "virtual_tokens" in METHODS[self.method.method].reads else 0

    @property
    def behind(self) -> Any:
        """The network that reads what stands behind virtual tokens: to be given `beginning` as what it has read."""
        return self.model.base_model if self.virtual else self

    def beginning(self) -> Any:
        """Keys and values of a decoder's virtual tokens, one row, with gradients; None where the method has none."""
        if not self.virtual:
            return None
        told = self.model.get_prompt(1)
        if self.method.method == "prefix":
            return told
        return self.behind(inputs_embeds=told.to(self.behind.dtype), use_cache=True, logits_to_keep=1).past_key_values

    def trainable(self) -> int:
        """How many numbers learn."""
        return sum(value.numel() for value in self._learning().values())

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """The part that learns, and for adalora what it remembers of importance."""
        state = {name: value.detach() for name, value in self._learning().items()}
        return {**state, **importance(self.model)} if self.method.method == "adalora" else state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Takes what `state_dict` gave; raises KeyError where a part is missing."""
        with torch.no_grad():
            for name, value in self._learning().items():
                value.copy_(state_dict[name])
        if self.method.method == "adalora":
            restore(self.model, state_dict)

    def stepped(self, step: int) -> None:
        """To be told after each step of the optimiser, counted from 0, while gradients are still there."""
        if self.method.method == "adalora":
            self.model.base_model.update_and_allocate(step)

    def penalty(self) -> Tensor | float:
        """What the method itself adds to the loss: adalora keeps its directions orthogonal, all others add 0."""
        return penalty(self.model, self.name) if self.method.method == "adalora" else 0.0

    @property
    def room(self) -> int:
        """Tokens of a text for which there are places beside virtual ones; roberta's two for padding count too."""
        virtual = self.method.virtual_tokens if "virtual_tokens" in METHODS[self.method.method].reads else 0
        return int(getattr(self.config, "max_position_embeddings", sys.maxsize)) - virtual - 2 * bool(virtual)

    def save(self, folder: Path) -> None:
        """Write the part that learned, in PEFT's layout where the method is PEFT's; whoever stores it checks hashes."""
        folder.mkdir(parents=True, exist_ok=True)
        state = self._own_state() if self.method.method in _OWN else self._peft_state(folder)
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, folder / _WEIGHTS)
        chosen = {name: getattr(self.method, name) for name in ("method", *METHODS[self.method.method].reads)}
        about = {"format": FORMAT, "network": _network(self.model, self.kind), "options": chosen}
        (folder / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf8")

    def add(self, folder: Path, name: str) -> None:
        """Load another saved part of the same method beside those that are there; `use` switches to it."""
        config = _saved(folder, self.model, self.kind)
        if config.method != self.method.method or config.method == "full":
            raise ConfigError(
                f"{folder}: tuned by {config.method}, the network by {self.method.method}; one network holds several "
                "parts of one method that leaves its own weights as they are"
            )
        if config.method in _OWN:
            self._grow(config, name)
            self._own_load(folder, name)
        else:
            with _quiet():
                self.model.load_adapter(str(folder), name)
        self.use(self.name)

    def use(self, name: str) -> None:
        """Answer with the part of that name from now on."""
        followed = list(self._followed().values())
        known = list(followed[0].parts) if followed else list(getattr(self.model, "peft_config", {"default": None}))
        if name not in known:
            raise ConfigError(f'tuned part "{name}": not loaded; loaded: {", ".join(known)}')
        for layer in followed:
            layer.active = name
        if self.method.method not in _OWN:
            self.model.set_adapter(name)
        self.name = name

    def merged(self) -> Any:
        """A copy of the network whose own weights hold what was learned; raises ConfigError where that cannot be."""
        if not METHODS[self.method.method].merges:
            able = ", ".join(name for name, method in METHODS.items() if method.merges)
            raise ConfigError(f"method {self.method.method}: cannot be merged into the weights; can be: {able}")
        model = copy.deepcopy(self.model)
        return model if self.method.method == "full" else model.merge_and_unload(adapter_names=[self.name])

    def _learning(self) -> dict[str, nn.Parameter]:
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def _followed(self) -> dict[str, Followed]:
        return {path: layer for path, layer in self.named_modules() if isinstance(layer, Followed)}

    def _grow(self, config: MethodConfig, name: str) -> None:
        """A new part of our own in every place, on the network's device."""
        device = next(self.model.parameters()).device
        for layer in self._followed().values():
            width = self.model.config.hidden_size
            part = identity(width) if config.method == "head" else Bottleneck(width, config.bottleneck, config.dropout)
            layer.parts[name] = part.to(device).train(self.training)

    def _peft_state(self, folder: Path) -> dict[str, Tensor]:
        """The active part as PEFT names it, its config written. Directions that adalora gave up stay, as zeros: cut
        out, sums would run in another order."""
        config = self.model.peft_config[self.name]
        pattern = getattr(config, "rank_pattern", None)
        if self.method.method == "adalora":
            config.rank_pattern = None
        try:
            config.save_pretrained(str(folder))
            return dict(get_peft_model_state_dict(self.model, adapter_name=self.name, save_embedding_layers=False))
        finally:
            if self.method.method == "adalora":
                config.rank_pattern = pattern

    def _own_state(self) -> dict[str, Tensor]:
        """The active part by places that do not hang on its name."""
        if self.method.method == "full":
            return self.state_dict()
        parts = {path: layer.parts[self.name] for path, layer in self._followed().items()}
        return {f"{path}.{name}": value for path, part in parts.items() for name, value in part.state_dict().items()}

    def _own_load(self, folder: Path, name: str) -> None:
        before, self.name = self.name, name
        state, wanted = load_file(folder / _WEIGHTS), self._own_state()
        self.name = before
        shapes = {place: value.shape for place, value in wanted.items()}
        if {place: value.shape for place, value in state.items()} != shapes:
            raise StoreError(f"{folder}: tuned on another network (places or widths differ); load it onto that one")
        with torch.no_grad():
            for place, value in wanted.items():
                value.copy_(state[place])


def tunable(model: Any, config: MethodConfig, steps: int = 1000) -> Tuned:
    """The network with a fresh part to learn; it answers as before, but for prefix and prompt, which start at random.

    The network itself is changed (layers are wrapped, weights frozen): give a copy where it is needed as it was.

    model: a transformers network without a task's head (an encoder) or with a language model's (a decoder).
    steps: of the optimiser, in all; adalora gives its ranks away over them.
    Raises ConfigError where the method does not work on such a network.
    """
    check(model, config.method)
    kind = kind_of(model)
    if config.method in _OWN:
        return _own(model, config, kind)
    with _quiet():
        tuned = Tuned(peft.get_peft_model(model, _peft_config(model, config, kind, steps)), config, kind)
    for name, value in tuned.named_parameters():
        if "ranknum" in name:  # adalora's divisor, which is not saved, and which PEFT lets learn beside a bf16 network
            value.requires_grad_(False)
    return tuned


def attached(model: Any, folder: Path, name: str = "default") -> Tuned:
    """The network with a part that `Tuned.save` wrote, not to be tuned on; raises StoreError where it does not fit."""
    kind = kind_of(model)
    config = _saved(folder, model, kind)
    if config.method in _OWN:
        tuned = _own(model, config, kind, name)
        tuned._own_load(folder, name)
    else:
        try:
            with _quiet():
                tuned = Tuned(peft.PeftModel.from_pretrained(model, str(folder), adapter_name=name), config, kind)
        except (RuntimeError, ValueError, KeyError, SafetensorError) as error:
            raise StoreError(f"{folder}: tuned on another network ({str(error).splitlines()[0]})") from error
    tuned.name = name
    return tuned.requires_grad_(False).eval()


def kind_of(model: Any) -> Kind:
    """Whether hidden states or a next token's logits come out."""
    return "decoder" if model.can_generate() else "encoder"


def check(model: Any, name: str) -> None:
    """Raises ConfigError where a method does not work on such a network."""
    kind = kind_of(model)
    if kind not in METHODS[name].kinds:
        able = ", ".join(other for other, method in METHODS.items() if kind in method.kinds)
        raise ConfigError(f"method {name}: not for a {kind}; a {kind} can be tuned by {able}")
    if name == "full" and model.dtype != torch.float32:
        raise ConfigError(
            "method full: learns the network's own weights, of which bf16 would round small steps away; set dtype to "
            "fp32 or use lora, whose weights are fp32 beside any network"
        )
    model_type = model.config.model_type
    if (name, model_type) in REFUSED:
        raise ConfigError(f"method {name}: not for a {model_type} network: {REFUSED[name, model_type]}; use lora")
    if name not in ANYWHERE and model_type not in NETWORKS:
        raise ConfigError(
            f"method {name}: the layers of a {model_type} network are not known here, only those of "
            f"{', '.join(NETWORKS)}; use full, prefix or prompt"
        )


def _own(model: Any, config: MethodConfig, kind: Kind, name: str = "default") -> Tuned:
    model.requires_grad_(config.method == "full")
    if config.method == "adapter":
        layers = NETWORKS[model.config.model_type]
        follow(model, (layers.attended, layers.feed_forward))
    tuned = Tuned(model, config, kind)
    if config.method != "full":
        tuned._grow(config, name)
        tuned.use(name)
    return tuned


def _peft_config(model: Any, config: MethodConfig, kind: Kind, steps: int) -> peft.PeftConfig:
    task: dict[str, Any] = {"task_type": _TASKS[kind]}
    if config.method in ("prefix", "prompt"):
        prefix = config.method == "prefix"
        kind_of_config = peft.PrefixTuningConfig if prefix else peft.PromptTuningConfig
        return kind_of_config(**task, num_virtual_tokens=config.virtual_tokens)
    layers = NETWORKS[model.config.model_type]
    if config.method == "ia3":
        scaled = [layers.key, layers.value, layers.feed_forward]
        return peft.IA3Config(**task, target_modules=scaled, feedforward_modules=[layers.feed_forward])
    task["target_modules"] = [layers.query, layers.value]
    if config.method == "lora":
        return peft.LoraConfig(**task, r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout)
    return peft.AdaLoraConfig(
        **task,
        init_r=config.rank + max(1, config.rank // 2),
        target_r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        total_step=steps,
        tinit=steps // 10,
        tfinal=3 * steps // 10,
        deltaT=max(1, steps // 100),
    )


def _network(model: Any, kind: Kind) -> str:
    """What a part must find again to fit, in words."""
    config = model.config
    return f"{config.model_type} {kind}, {config.num_hidden_layers} layers of width {config.hidden_size}"


def _saved(folder: Path, model: Any, kind: Kind) -> MethodConfig:
    """The options of a saved part; raises StoreError where there is none, or it was made for another network."""
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf8"))
        made_for, options = about["network"], about["options"]
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError(f"{folder / _ABOUT}: missing or damaged; tune again") from None
    if about.get("format") != FORMAT or not (folder / _WEIGHTS).is_file():
        raise StoreError(f"{folder}: no {_WEIGHTS} of format {FORMAT}; tune again")
    if made_for != (found := _network(model, kind)):
        raise StoreError(f"{folder}: made for a network {made_for}; this one is {found}")
    return configured(MethodConfig, options, str(folder / _ABOUT))


@contextmanager
def _quiet() -> Iterator[None]:
    """PEFT asks transformers by a name that the latter is about to retire."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield
