"""Texts through an exported encoder by ONNX Runtime; a folder of graph, tokenizer and manifest in, vectors out.

    manifest.json    format, precision, the model's fingerprint, agreement with torch, sha256 of every other file
    encoder.onnx     token columns to vectors
    tokenizer.json   texts to tokens

Every file is checked against its hash before it is opened, and torch is never loaded.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from palate.errors import AssetError
from palate.runtime import threads
from palate.types import Floats
from palate.vectors import unit_rows

FORMAT = 1
MANIFEST, GRAPH, TOKENIZER = "manifest.json", "encoder.onnx", "tokenizer.json"


@dataclass(frozen=True, eq=False)
class Graph:
    """An open encoder: a session of ONNX Runtime on the processor and the model's tokenizer."""

    session: Any
    tokenizer: Any

    @staticmethod
    def open(folder: Path, max_tokens: int) -> "Graph":
        """The encoder that `palate export` wrote; raises AssetError where it is missing or damaged."""
        about = manifest(folder)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(min(max_tokens, about["max_tokens"]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(folder / GRAPH), options, providers=["CPUExecutionProvider"])
        return Graph(session, tokenizer)

    def encode(self, texts: list[str], batch_tokens: int) -> Floats:
        """(N, dim) unit rows for N >= 1 texts, sorted by length into batches as `encode.forward` does."""
        tokens = [np.array(one.ids, np.int64) for one in self.tokenizer.encode_batch(texts)]
        lengths = np.array([len(one) for one in tokens], np.int64)
        order, start = np.argsort(-lengths, kind="stable"), 0
        parts: list[Floats] = []
        while start < len(order):
            rows = order[start : start + max(1, batch_tokens // int(lengths[order[start]]))]
            parts.append(self._batch([tokens[row] for row in rows]))
            start += len(rows)
        return unit_rows(np.concatenate(parts)[np.argsort(order)])

    def _batch(self, tokens: list[np.ndarray[Any, Any]]) -> Floats:
        """(B, dim) of B rows of tokens, the longest first."""
        ids = np.zeros((len(tokens), len(tokens[0])), np.int64)  # (B, L), zeros are masked
        mask = np.zeros_like(ids)
        for row, one in enumerate(tokens):
            ids[row, : len(one)], mask[row, : len(one)] = one, 1
        columns = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {one.name: columns[one.name] for one in self.session.get_inputs()}
        vectors: Floats = self.session.run(None, wanted)[0]
        return vectors


def manifest(folder: Path) -> dict[str, Any]:
    """What is known of an export whose files all match their hashes; raises AssetError."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        files = {name: found["files"][name] for name in (GRAPH, TOKENIZER)}
    except (OSError, ValueError, KeyError, TypeError):
        raise AssetError(f"{path}: missing or damaged; remove {folder} and export again") from None
    if found.get("format") != FORMAT:
        raise AssetError(f"{path}: format {found.get('format')!r}, this version reads {FORMAT}; export again")
    for name, expected in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise AssetError(f"{folder / name}: missing or damaged; remove {folder} and export again")
    return dict(found)


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
