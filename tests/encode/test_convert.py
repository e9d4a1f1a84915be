"""GGUF to safetensors: what was converted is verified, what cannot be leaves nothing behind."""

from pathlib import Path

import pytest

from palate.encode.convert import language_model, to_safetensors
from palate.errors import AssetError


@pytest.fixture
def converted(tmp_path) -> Path:
    """A folder as a conversion leaves it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "sha256.json").write_text(
        '{"config.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}'  # sha256 of "{}"
    )
    return folder


def test_a_conversion_is_done_once(converted):
    assert to_safetensors(Path("no such.gguf"), converted) == converted


@pytest.mark.parametrize("damage", ["changed", "gone", "record"])
def test_a_damaged_conversion_is_refused_with_the_way_out(converted, damage):
    if damage == "changed":
        (converted / "config.json").write_text("{ }")
    elif damage == "gone":
        (converted / "config.json").unlink()
    else:
        (converted / "sha256.json").write_text("[]")
    with pytest.raises(AssetError, match=r"damaged .*; remove the folder, it is then converted again"):
        to_safetensors(Path("no such.gguf"), converted)


def test_a_file_that_is_no_gguf_leaves_nothing_behind(tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(AssetError, match=r"bad.gguf: cannot be read as a language model"):
        to_safetensors(tmp_path / "bad.gguf", tmp_path / "out" / "model")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_model_without_gguf_is_refused():
    with pytest.raises(AssetError, match=r"all-minilm-l6-v2: holds no .gguf"):
        language_model("all-minilm-l6-v2")
