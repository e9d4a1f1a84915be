"""A GGUF file to a folder of bf16 safetensors, once, so that a language model opens in a second and can be tuned."""

import hashlib
import importlib.util
import json
import shutil
import struct
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from palate import assets
from palate.bars import without_bars
from palate.errors import AssetError, MissingExtraError
from palate.runtime import cache_folder, log

_RECORD = "sha256.json"


def language_model(name: str = "smollm2-135m-instruct") -> Path:
    """The verified safetensors folder of a known GGUF model, fetched and converted on first use.

    Raises AssetError where the model is not known or its conversion is damaged.
    """
    gguf = next(assets.model_folder(name).glob("*.gguf"), None)
    if gguf is None:
        raise AssetError(f"{name}: holds no .gguf file; name its folder instead")
    return to_safetensors(gguf, cache_folder() / "converted" / name)


def to_safetensors(gguf: Path, folder: Path) -> Path:
    """Write weights (bf16) and tokenizer of a GGUF file into `folder`, in one step; what is there is verified instead.

    Raises AssetError where the file cannot be read or the folder is damaged.
    """
    if not folder.exists():
        for package in ("gguf", "accelerate"):
            if importlib.util.find_spec(package) is None:
                raise MissingExtraError(f'{gguf.name}: no package {package} to read it; pip install "palate[llm]"')
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            log.info("converting %s, once; about half a minute", gguf)
            fresh = Path(temporary) / folder.name
            _write(gguf, fresh)
            if not folder.exists():  # another process may have been faster
                shutil.move(fresh, folder)
    _verify(folder)
    return folder


def _write(gguf: Path, folder: Path) -> None:
    unpacked = GgufConfig(dequantize=True)  # a model left in blocks can be neither saved nor tuned
    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=unpacked
            )
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except (OSError, ValueError, KeyError, RuntimeError, struct.error) as error:
        raise AssetError(f"{gguf}: cannot be read as a language model ({error})") from error
    hashes = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    (folder / _RECORD).write_text(json.dumps(hashes, indent=2), encoding="utf8")


def _verify(folder: Path) -> None:
    """Compare every file with the sha256 that was recorded when it was written."""
    try:
        damaged = [
            name
            for name, sha256 in json.loads((folder / _RECORD).read_bytes()).items()
            if _sha256(folder / name) != sha256
        ]
    except (OSError, ValueError, AttributeError) as error:
        damaged = [str(error)]
    if damaged:
        raise AssetError(f"{folder}: damaged ({', '.join(damaged)}); remove the folder, it is then converted again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
