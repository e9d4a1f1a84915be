"""An export that says something else than torch is refused, and leaves nothing behind."""

import pytest
import torch
from torch import nn
from transformers import AutoTokenizer

from palate.errors import AssetError
from palate.exported.write import Traced, written
from tiny import tiny_bert


def test_what_disagrees_with_torch_is_refused_and_not_kept(tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert(tmp_path / "bert"))
    columns = {"prior": torch.zeros(2)}
    made = Traced("ranker", nn.Identity(), columns, "scores", tokenizer, 64, "explained", lambda folder: 0.9)
    with pytest.raises(AssetError, match=r"export in int8: agrees with torch to 0\.9000 \(explained\), not 0\.95"):
        written(made, tmp_path / "out" / "new", "int8", {})
    assert list((tmp_path / "out").iterdir()) == []
