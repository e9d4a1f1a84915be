"""Saved models: a tree of dataclasses to a folder and back, hashes checked before anything is opened.

    manifest.json        format, what it is, sha256 of every other file
    tree.json            the dataclasses, their plain values, and the names of their arrays
    arrays.safetensors   every array, matrix and list of texts

Nothing is unpickled: a tree can only name the classes that the caller allows.
"""

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

from palate.errors import StoreError

FORMAT = 1
_MANIFEST, _TREE, _ARRAYS = "manifest.json", "tree.json", "arrays.safetensors"


def save(folder: Path, root: Any, about: Mapping[str, Any]) -> None:
    """Write `root` and what is to be known `about` it; an older save in `folder` is replaced in one step.

    Refuses a folder that holds anything but a saved model.
    """
    check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        flat = _Flat()
        tree = flat.node(root)
        (fresh / _TREE).write_text(json.dumps(tree, ensure_ascii=False), encoding="utf8")
        save_file(flat.arrays, fresh / _ARRAYS)
        files = {name: sha256(fresh / name) for name in (_TREE, _ARRAYS)}
        manifest = {"format": FORMAT, **about, "files": files}
        (fresh / _MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), encoding="utf8")
        for name in (*files, _MANIFEST):
            sync(fresh / name)
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_free(folder: Path) -> None:
    """Raises StoreError where a folder holds anything but a saved model."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not is_saved(folder):
        raise StoreError(f"{folder}: exists and is not a saved model; choose another folder or remove it")


def is_saved(folder: Path) -> bool:
    """Whether a model is saved in this folder."""
    return (folder / _MANIFEST).is_file()


def manifest(folder: Path) -> dict[str, Any]:
    """What is known about a saved model; raises StoreError where there is none or it is of another format."""
    path = folder / _MANIFEST
    if not path.is_file():
        raise StoreError(
            f"{folder}: no saved model here (no {_MANIFEST}); make one with `palate train DATA --out {folder}`"
        )
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        found["files"][_TREE], found["files"][_ARRAYS]
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{path}: damaged; save the model again") from None
    if found.get("format") != FORMAT:
        raise StoreError(f"{path}: format {found.get('format')!r}, this version reads {FORMAT}; train the model again")
    return dict(found)


def load(folder: Path, kinds: Mapping[str, type]) -> Any:
    """The saved tree; only classes in `kinds` are built, and only from files that match their hashes."""
    verify(folder)
    tree = json.loads((folder / _TREE).read_text(encoding="utf8"))
    try:
        arrays = load_file(folder / _ARRAYS)
        return _build(tree, arrays, kinds, [])
    except (IndexError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise StoreError(f"{folder}: saved by an incompatible version ({error}); train the model again") from error


def verify(folder: Path) -> tuple[Path, ...]:
    """The files of a saved model, the manifest first; raises StoreError where one is missing or not what was saved."""
    files = manifest(folder)["files"]
    for name, expected in files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise StoreError(f"{folder / name}: missing; restore it or train the model again")
        if sha256(folder / name) != expected:
            raise StoreError(f"{folder / name}: damaged, its sha256 is not the one in {_MANIFEST}; restore it")
    return (folder / _MANIFEST, *(folder / name for name in files))


def fingerprint(folder: Path) -> str:
    """The hash of a saved model's manifest, which holds those of all its files."""
    manifest(folder)
    return sha256(folder / _MANIFEST)


def sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have what was written to a file, or which names a folder holds, on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Flat:
    """Values as JSON, their arrays under numbered names. What occurs more than once, by identity, is written once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray[Any, Any]] = {}
        self._names: dict[int, tuple[Any, str]] = {}  # the value is held, so that no other gets its identity
        self._objects: dict[int, tuple[Any, int]] = {}

    def node(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray):
            return {"array": self._name(value)}
        if isinstance(value, sparse.csr_matrix):
            parts = [self.node(part) for part in (value.data, value.indices, value.indptr)]
            return {"csr": parts, "shape": list(value.shape)}
        if isinstance(value, tuple) and value and all(isinstance(one, str) for one in value):
            encoded = [one.encode("utf8", "surrogatepass") for one in value]
            ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
            return {"texts": [self.node(part) for part in (np.frombuffer(b"".join(encoded), np.uint8), ends)]}
        if isinstance(value, tuple):
            return {"tuple": [self.node(one) for one in value]}
        if isinstance(value, Mapping):
            return {"map": {key: self.node(one) for key, one in value.items()}}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._object(value)
        raise StoreError(f"{type(value).__name__}: this kind of value cannot be saved")

    def _name(self, value: np.ndarray[Any, Any]) -> str:
        if id(value) not in self._names:
            name = f"{len(self.arrays)}"
            self._names[id(value)] = value, name
            self.arrays[name] = np.ascontiguousarray(value)
        return self._names[id(value)][1]

    def _object(self, value: Any) -> dict[str, Any]:
        """Its fields, or the number it has among all objects, in the order in which they are complete."""
        if id(value) in self._objects:
            return {"again": self._objects[id(value)][1]}
        fields = {one.name: self.node(getattr(value, one.name)) for one in dataclasses.fields(value) if one.init}
        self._objects[id(value)] = value, len(self._objects)
        return {"kind": type(value).__name__, "fields": fields}


def _build(node: Any, arrays: Mapping[str, Any], kinds: Mapping[str, type], built: list[Any]) -> Any:
    """The opposite of `_Flat.node`; built: the objects so far."""
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "csr" in node:
        parts = tuple(arrays[part["array"]] for part in node["csr"])
        return sparse.csr_matrix(parts, tuple(node["shape"]))
    if "texts" in node:
        blob, ends = (arrays[part["array"]] for part in node["texts"])
        data, starts = blob.tobytes(), np.concatenate([[0], ends[:-1]])
        return tuple(data[a:b].decode("utf8", "surrogatepass") for a, b in zip(starts, ends, strict=True))
    if "tuple" in node:
        return tuple(_build(one, arrays, kinds, built) for one in node["tuple"])
    if "map" in node:
        return {key: _build(one, arrays, kinds, built) for key, one in node["map"].items()}
    if "again" in node:
        return built[node["again"]]
    fields = {key: _build(one, arrays, kinds, built) for key, one in node["fields"].items()}
    built.append(kinds[node["kind"]](**fields))
    return built[-1]


def _swap(fresh: Path, folder: Path) -> None:
    """Put `fresh` in the place of `folder`, which stays whole if that fails."""
    if not folder.exists():
        fresh.rename(folder)
        return
    old = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    folder.rename(old)
    try:
        fresh.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old)
