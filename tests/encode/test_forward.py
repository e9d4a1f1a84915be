"""Batches of tokens: sorted, cut to their longest text and put back in order, whichever side is padded."""

from types import SimpleNamespace

import pytest
import torch

from palate.encode.forward import Network


class Angles:
    """A stand-in network: answers a text with the direction (its sum of tokens, 1) and notes batch shapes."""

    device = torch.device("cpu")

    def __init__(self, side: str) -> None:
        self.tokenizer = SimpleNamespace(padding_side=side)
        self.shapes: list[tuple[int, ...]] = []

    def preprocess(self, texts: list[str]) -> dict[str, object]:
        rows = [[int(token) for token in text.split()] for text in texts]
        longest = max(map(len, rows))
        left = self.tokenizer.padding_side == "left"
        pads = [[0] * (longest - len(row)) for row in rows]
        ids = [pad + row if left else row + pad for row, pad in zip(rows, pads, strict=True)]
        tokens = torch.tensor(ids)
        return {"input_ids": tokens, "attention_mask": (tokens > 0).long(), "modality": "text"}

    def __call__(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        self.shapes.append(tuple(inputs["input_ids"].shape))
        total = (inputs["input_ids"] * inputs["attention_mask"]).sum(dim=1).float()
        return {"sentence_embedding": torch.stack([total, torch.ones_like(total)], dim=1)}


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_hold_few_pads_and_rows_come_back_in_order(side):
    angles = Angles(side)
    vectors = Network(angles, bf16=False).encode(["1", "2 3 4", "5", "6 7"], batch_tokens=4)
    assert angles.shapes == [(1, 3), (2, 2), (1, 1)]
    assert (vectors[:, 0] / vectors[:, 1]).tolist() == pytest.approx([1, 9, 5, 13])
