"""A random BERT of a few thousand weights in a folder, for tests of what reads texts."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = ("space", "ships", "and", "distant", "planets", "wedding", "cakes", "true", "love", "volume", ",", ";")


def tiny_bert(folder: Path, seed: int = 0) -> str:
    """Write it and return its name."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *map(str, range(30))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizerFast(vocab={word: at for at, word in enumerate(words)}, model_max_length=64)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
        BertModel(config).save_pretrained(folder)
    return str(folder)
