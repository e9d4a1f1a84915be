"""Texts through an exported network by ONNX Runtime; a folder of graph, tokenizer and manifest in, numbers out.

    manifest.json    format, precision, the model's fingerprint, agreement with torch, sha256 of every other file
    encoder.onnx     token columns to vectors; or
    ranker.onnx      token columns of pairs, and what was known of each before, to scores
    tokenizer.json   texts to tokens

Every file is checked against its hash before it is opened, and torch is never loaded.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from palate.errors import AssetError
from palate.exported.rounding import ROUNDING
from palate.runtime import cache_folder, log, threads
from palate.types import Floats

Part = Literal["encoder", "ranker"]
Precision = Literal["fp32", "int8"]

FORMAT = 1
MANIFEST, TOKENIZER = "manifest.json", "tokenizer.json"


@dataclass(frozen=True, eq=False)
class Graph:
    """An open network: a session of ONNX Runtime on the processor and the model's tokenizer."""

    session: Any
    tokenizer: Any

    @staticmethod
    def open(folder: Path, part: Part, max_tokens: int) -> "Graph":
        """What `palate export` wrote; raises AssetError where it is missing or damaged."""
        about = manifest(folder, part)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.no_padding()
        tokenizer.enable_truncation(min(max_tokens, about["max_tokens"]))  # of a pair the longer text
        return Graph(opened(str(folder / graph_of(part))), tokenizer)

    def read(self, texts: Sequence[str | tuple[str, str]], batch_tokens: int, **beside: Floats) -> Floats:
        """(N, ...) what it says of N >= 1 texts or pairs, sorted by length so that a batch holds almost no padding.

        beside: (N,) numbers that the graph wants beside the tokens, by name.
        """
        tokens = self.tokenizer.encode_batch(list(texts))
        lengths = np.array([len(one.ids) for one in tokens], np.int64)
        order, start = np.argsort(-lengths, kind="stable"), 0
        parts: list[Floats] = []
        while start < len(order):
            rows = order[start : start + max(1, batch_tokens // int(lengths[order[start]]))]
            columns = _columns([tokens[row] for row in rows]) | {name: value[rows] for name, value in beside.items()}
            wanted = {one.name: columns[one.name] for one in self.session.get_inputs()}
            parts.append(self.session.run(None, wanted)[0])
            start += len(rows)
        return np.concatenate(parts)[np.argsort(order)]


def opened(graph: str | bytes) -> Any:
    """A session on the processor, of a graph's file or its bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads burn a processor
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _columns(tokens: list[Any]) -> dict[str, np.ndarray[Any, Any]]:
    """(B, L) each, of B rows of tokens, the longest first."""
    ids, mask, types = np.zeros((3, len(tokens), len(tokens[0].ids)), np.int64)  # zeros are masked
    for row, one in enumerate(tokens):
        ids[row, : len(one.ids)], mask[row, : len(one.ids)], types[row, : len(one.ids)] = one.ids, 1, one.type_ids
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def cached(key: str, name: str, export: Callable[[Path], Any]) -> Path:
    """The folder of the cache for that key, exported in int8 when it is first asked for."""
    folder = cache_folder() / "onnx" / hashlib.sha256(f"{key} {FORMAT} {ROUNDING}".encode()).hexdigest()[:32]
    if not folder.exists():
        log.info("exporting %s to int8, once", name)
        export(folder)
    return folder


def manifest(folder: Path, part: Part) -> dict[str, Any]:
    """What is known of an export whose files all match their hashes; raises AssetError."""
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf8"))
        files = {name: found["files"][name] for name in (graph_of(part), TOKENIZER)}
    except (OSError, ValueError, KeyError, TypeError):
        raise AssetError(f"{path}: missing or damaged; remove {folder} and export again") from None
    if found.get("format") != FORMAT:
        raise AssetError(f"{path}: format {found.get('format')!r}, this version reads {FORMAT}; export again")
    for name, expected in files.items():
        if not (folder / name).is_file() or sha256(folder / name) != expected:
            raise AssetError(f"{folder / name}: missing or damaged; remove {folder} and export again")
    return dict(found)


def graph_of(part: Part) -> str:
    """The name of its graph's file."""
    return f"{part}.onnx"


def sha256(path: Path) -> str:
    """Of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
