"""A model's name to a folder of safetensors weights and a hash of what is in it."""

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palate.assets.known import KNOWN
from palate.assets.shelf import fetch, locate
from palate.errors import AssetError, MissingExtraError

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_READ = ("*.safetensors", "*.json", "*.txt", "*.model")  # what a library reads; pickled weights are not among it
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


def resolve_model(model: str) -> Path | str:
    """A known name to its verified folder (fetched if need be), a local folder as it is, a hub id OWNER/NAME as text.

    Raises AssetError for anything else.
    """
    check_model(model)
    if model in KNOWN:
        return locate(model) or fetch(model)
    return Path(model) if Path(model).is_dir() else model


def check_model(model: str) -> None:
    """Raises AssetError where a name is no known model, no folder and no hub id; nothing is fetched."""
    if model in KNOWN and KNOWN[model].kind == "model":
        return
    if model and (Path(model).is_dir() or _HUB_ID.fullmatch(model)):
        return
    models = ", ".join(asset.name for asset in KNOWN.values() if asset.kind == "model")
    raise AssetError(f'model "{model}": no such folder and no known name; known: {models}, or a hub id OWNER/NAME')


def model_folder(model: str) -> Path:
    """The folder of a model: `resolve_model`, and a hub id downloaded to the hub's own cache.

    Raises AssetError where the model cannot be had, or where its weights are pickled.
    """
    found = resolve_model(model)
    folder = found if isinstance(found, Path) else _downloaded(found)
    for part in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        pickled = sorted(path for pattern in _PICKLED for path in part.glob(pattern))
        if pickled and not any(part.glob("*.safetensors")):
            raise AssetError(f"{pickled[0]}: pickled weights are never opened; save the model as safetensors")
    return folder


def fingerprint(folder: Path) -> str:
    """The sha256 of a model's weights, tokenizer and settings; other files in the folder do not count."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _READ for path in folder.rglob(pattern)}):
        with path.open("rb") as file:
            digest.update(f"{path.relative_to(folder).as_posix()}\x1f".encode())
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def fingerprint_of(files: Mapping[str, NDArray[Any]]) -> str:
    """The same of files, or any arrays, in memory, by name."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\x1f".encode())
        digest.update(hashlib.sha256(content.tobytes()).digest())
    return digest.hexdigest()


@contextmanager
def in_folder(files: Mapping[str, NDArray[np.uint8]]) -> Iterator[Path]:
    """A folder that holds these files for a while."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            content.tofile(Path(folder) / Path(name).name)
        yield Path(folder)


def same_model(model: str, known: str | None, *, what: str, of: str) -> Path:
    """The folder of a model whose files have the `known` fingerprint.

    Raises AssetError where they have not, which calls the model `what` and what was trained with it `of`.
    """
    folder = model_folder(model)
    if (found := fingerprint(folder)) != known:
        raise AssetError(
            f"{folder}: not the {what} that this {of} was trained with (sha256 {found[:12]}, "
            f"not {str(known)[:12]}); restore it, or train the {of} again"
        )
    return folder


def _downloaded(hub_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download  # optional, and slow to import
    except ImportError:
        raise MissingExtraError(f'{hub_id}: models from a hub need `pip install "palate[text]"`') from None
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_READ)))
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise AssetError(
            f'model "{hub_id}": the hub does not give it ({reason}); download it elsewhere and name its folder'
        ) from error
