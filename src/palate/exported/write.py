"""A network of torch to a folder that `exported.graph` opens, in fp32 or int8, once it says what torch says."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from palate.errors import AssetError, StoreError
from palate.exported.graph import FORMAT, MANIFEST, TOKENIZER, Part, Precision, graph_of, opened, sha256
from palate.exported.int8 import in_int8, normed, with_outputs
from palate.types import Floats

LEAST = {"fp32": 0.9999, "int8": 0.95}  # agreement with torch on probes
_OPSET = 18


@dataclass(frozen=True, eq=False)
class Traced:
    """What a graph is made of.

    network: from the columns, in their order, to one tensor, `result`
    columns: an example of each input, (B, L) tokens or (B,) numbers; int8 learns from it which channels are loud
    measure, agreement: how an export agrees with torch on probe texts, by name and by its folder; 1 is the same
    """

    part: Part
    network: nn.Module
    columns: Mapping[str, Tensor]
    result: str
    tokenizer: Any
    max_tokens: int
    measure: str
    agreement: Callable[[Path], float]


def written(made: Traced, out: Path, precision: Precision, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a network to the new folder `out` in one step and return its manifest; int8: see `in_int8`.

    Raises StoreError where `out` exists, AssetError where the export says something else than torch.
    """
    if out.exists():
        raise StoreError(f"{out}: exists; choose another folder or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    graph = graph_of(made.part)
    try:
        _trace(made, fresh / graph)
        if precision == "int8":
            plain = onnx.load(fresh / graph)
            onnx.save(in_int8(plain, _loud(plain, made.columns)), fresh / graph)
        made.tokenizer.backend_tokenizer.save(str(fresh / TOKENIZER))
        known = {"format": FORMAT, **about, "precision": precision, "max_tokens": made.max_tokens}
        known["files"] = {name: sha256(fresh / name) for name in (graph, TOKENIZER)}
        _note(fresh, known)
        if not (found := made.agreement(fresh)) >= LEAST[precision]:
            raise AssetError(
                f"export in {precision}: agrees with torch to {found:.4f} ({made.measure.replace('_', ' ')}), "
                f"not {LEAST[precision]}; use this model by torch"
            )
        known[made.measure] = round(found, 6)
        _note(fresh, known)
        if not out.exists():  # another process may have been faster
            fresh.rename(out)
        return known
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def merged(transformer: Any) -> Any:
    """A transformer with its tuned part, if it has one, merged, ready to be traced; raises ConfigError where the part's
    method does not merge."""
    plain = transformer.merged() if hasattr(transformer, "merged") else transformer
    plain.set_attn_implementation("eager")
    return plain


def _trace(made: Traced, path: Path) -> None:
    """Write the graph; torch's newer exporter would need a package more."""
    axes = {
        name: {0: "texts", 1: "tokens"} if value.ndim == 2 else {0: "texts"} for name, value in made.columns.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python value
        torch.onnx.export(
            made.network.eval().requires_grad_(False),
            tuple(made.columns.values()),
            str(path),
            input_names=list(made.columns),
            output_names=[made.result],
            dynamic_axes={**axes, made.result: {0: "texts"}},
            opset_version=_OPSET,
            dynamo=False,
        )


def _loud(model: onnx.ModelProto, columns: Mapping[str, Tensor]) -> dict[str, Floats]:
    """The largest number that each channel (K,) of a norm says of the example columns, by the norm's name."""
    names = normed(model)
    session = opened(with_outputs(model, names).SerializeToString())
    wanted = {one.name: columns[one.name].numpy() for one in session.get_inputs()}
    found = session.run(None, wanted) if names else []
    return {name: np.abs(each).reshape(-1, each.shape[-1]).max(axis=0) for name, each in zip(names, found, strict=True)}


def _note(folder: Path, known: dict[str, Any]) -> None:
    (folder / MANIFEST).write_text(json.dumps(known, indent=2), encoding="utf8")
