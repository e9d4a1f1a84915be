"""A text encoder of two small random layers, as a folder."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer

TITLES = ("space", "ships", "and", "distant", "planets", "wedding", "cakes", "true", "love", "volume")
WORDS = (*TITLES, "scifi", "romance", ",", ".", ";")


def encoder_folder(folder: Path) -> str:
    """The same weights every time, and a tokenizer that knows the words of the checkerboard."""
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *map(str, range(100))]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=128, **sizes)).save_pretrained(folder)
    return str(folder)
