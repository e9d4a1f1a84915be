"""Tuning methods by name: what learns, on which networks, and what is set about it. Loads no torch."""

from dataclasses import dataclass
from typing import Literal

from palate.config import option, options

Kind = Literal["encoder", "decoder"]  # hidden states come out, or the next token's logits

BOTH: tuple[Kind, ...] = ("encoder", "decoder")


@dataclass(frozen=True, slots=True)
class Method:
    """One way to tune a network.

    kinds: the networks it works on. merges: what it learned can be written into the network's own weights.
    learning_rate: what it usually wants. reads: the options of `MethodConfig` that it reads.
    """

    meaning: str
    kinds: tuple[Kind, ...]
    merges: bool
    learning_rate: float
    reads: tuple[str, ...] = ()


METHODS: dict[str, Method] = {
    "full": Method("all weights learn", BOTH, True, 2e-5),
    "lora": Method(
        "low-rank additions to attention (Hu et al., 2022, ICLR)", BOTH, True, 5e-4, ("rank", "alpha", "dropout")
    ),
    "adalora": Method(
        "low-rank additions whose ranks go where they count (Zhang et al., 2023, ICLR)",
        BOTH, True, 1e-2, ("rank", "alpha", "dropout"),
    ),
    "prefix": Method(
        "keys and values before every layer's own (Li and Liang, 2021, ACL)", BOTH, False, 5e-3, ("virtual_tokens",)
    ),
    "prompt": Method(
        "vectors before the first token (Lester et al., 2021, EMNLP)", BOTH, False, 1e-2, ("virtual_tokens",)
    ),
    "adapter": Method(
        "bottlenecks after attention and feed-forward (Houlsby et al., 2019, ICML, section 2)",
        BOTH, False, 5e-4, ("bottleneck", "dropout"),
    ),
    "ia3": Method("scales of keys, values and feed-forward (Liu et al., 2022, NeurIPS)", BOTH, True, 5e-3),
    "head": Method("a linear layer over hidden states learns, the network does not", ("encoder",), False, 1e-3),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layers:
    """What a network calls its layers: attention's queries, keys, values and output, and the last of feed-forward."""

    query: str
    key: str
    value: str
    attended: str
    feed_forward: str


_BERT = Layers("query", "key", "value", "attention.output.dense", "output.dense")
_LLAMA = Layers("q_proj", "k_proj", "v_proj", "o_proj", "down_proj")

NETWORKS: dict[str, Layers] = {  # by model type, as its config.json calls it
    **dict.fromkeys(("bert", "roberta", "xlm-roberta"), _BERT),
    "mpnet": Layers("attn.q", "attn.k", "attn.v", "attn.o", "output.dense"),
    "distilbert": Layers("q_lin", "k_lin", "v_lin", "out_lin", "lin2"),
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), _LLAMA),
}
REFUSED = {  # what a network has no way in for
    ("prefix", "mpnet"): "it takes no keys and values from outside",
    ("prefix", "distilbert"): "it takes no keys and values from outside",
    ("prompt", "distilbert"): "it does not take vectors in place of tokens",
}
ANYWHERE = ("full", "head", "prefix", "prompt")  # methods that need no layer's name


@options
class MethodConfig:
    method: str = option(
        "lora", "What learns; see `METHODS`.", choices=tuple(METHODS), search=("lora", "full", "adapter", "ia3")
    )
    rank: int = option(16, "Rank of a low-rank addition; adalora's mean rank at the end.", low=1, search=(4, 8, 16, 32))
    alpha: int = option(32, "A low-rank addition is multiplied by alpha / rank.", low=1)
    dropout: float = option(
        0.05, "Share of what an addition or a bottleneck reads that is dropped at random while it learns.",
        low=0.0, high=0.9,
    )  # fmt: skip
    virtual_tokens: int = option(
        16, "Learned places of prefix and prompt, which take room from the text.", low=1, search=(8, 16, 32)
    )
    bottleneck: int = option(48, "Width of a bottleneck.", low=1, search=(16, 48, 96))
