"""A text encoder of torch to a folder that `encode.onnx` runs, in fp32 or int8, and how well both agree."""

import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from palate.encode.forward import Network
from palate.encode.onnx import FORMAT, GRAPH, MANIFEST, TOKENIZER, Graph, sha256
from palate.errors import AssetError, StoreError

LEAST = {"fp32": 0.9999, "int8": 0.95}  # cosine of every probe with torch's vector
_PROBES = [
    "x",
    "Quiet science fiction for a rainy evening",
    "流浪地球：太阳即将毁灭",
    "A long description of a game in which ships fly to distant planets and are attacked by pirates. " * 5,
]
_OPSET = 18
_HALF = 63  # 7 bits: with 8, pairs of products saturate on processors without VNNI


class _Plain(nn.Module):
    """Token columns to unit vectors, without the dictionaries of sentence-transformers."""

    def __init__(self, model: Any, names: list[str]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *columns: Tensor) -> Tensor:
        found: Tensor = self.model(dict(zip(self.names, columns, strict=True)))["sentence_embedding"]
        return found


def export(network: Network, out: Path, precision: Literal["fp32", "int8"], about: dict[str, Any]) -> dict[str, Any]:
    """Write an encoder to the new folder `out` in one step and return its manifest; a tuned part is merged first.

    int8: weights of products by output channel in 7 bits, inputs by token in 8, so that a vector does not hang on its
    batch. Raises ConfigError where a tuned part does not merge, StoreError where `out` exists, AssetError where the
    exported encoder says something else than the network.
    """
    if out.exists():
        raise StoreError(f"{out}: exists; choose another folder or remove it")
    model: Any = network.model
    inner = model[0].model
    if hasattr(inner, "merged"):
        model[0].model = inner = inner.merged()
    inner.set_attn_implementation("eager")
    expected = network.encode(_PROBES, 1024)
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        _traced(network.model, fresh / GRAPH)
        if precision == "int8":
            onnx.save(in_int8(onnx.load(fresh / GRAPH)), fresh / GRAPH)
        network.model.tokenizer.backend_tokenizer.save(str(fresh / TOKENIZER))
        known = {"format": FORMAT, **about, "precision": precision, "max_tokens": int(model.max_seq_length)}
        known["files"] = {name: sha256(fresh / name) for name in (GRAPH, TOKENIZER)}
        _write(fresh, known)
        cosines = (Graph.open(fresh, known["max_tokens"]).encode(_PROBES, 1024) * expected).sum(axis=1)
        if not cosines.min() >= LEAST[precision]:
            raise AssetError(
                f"export in {precision}: vectors agree to a cosine of {cosines.min():.4f}, not {LEAST[precision]}; "
                "use this model by torch"
            )
        known["least_cosine"] = round(float(cosines.min()), 6)
        _write(fresh, known)
        if not out.exists():  # another process may have been faster
            fresh.rename(out)
        return known
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def in_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with int8 weights in each product with a constant matrix (K, N); other products stay in fp32.

    An input row x becomes round(127 x / max|x|) + 128 in uint8; what the integers give is multiplied by both scales.
    """
    graph = model.graph
    matrices = {one.name: one for one in graph.initializer}
    made = _Int8()
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        matrix = matrices.get(node.input[1]) if node.op_type == "MatMul" else None
        if matrix is None or len(matrix.dims) != 2:
            nodes.append(node)
        else:
            nodes += made.product(node, matrix)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *made.constants.values()])
    if not any(one.domain == "com.microsoft" for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


class _Int8:
    """Nodes and constants that stand for products; an input of several products is rounded once."""

    def __init__(self) -> None:
        self.constants: dict[str, onnx.TensorProto] = {}
        self.rounded: set[str] = set()
        self._constant("int8.step", np.float32(1 / 127))
        self._constant("int8.zero", np.uint8(128))
        self._constant("int8.last", np.array([-1], np.int64))
        self._constant("int8.tiny", np.float32(1e-12))

    def product(self, node: onnx.NodeProto, matrix: onnx.TensorProto) -> list[onnx.NodeProto]:
        source, name, result = node.input[0], f"{matrix.name}.int8", node.output[0]
        weights = numpy_helper.to_array(matrix)
        steps = np.maximum(np.abs(weights).max(axis=0) / _HALF, 1e-12).astype(np.float32)  # (N,)
        self._constant(name, np.rint(weights / steps).astype(np.int8))
        self._constant(f"{name}.step", steps)
        inputs = [f"{source}.int8", name, "int8.step", f"{name}.step", "int8.zero", ""]
        product = helper.make_node("MatMulIntegerToFloat", inputs, [f"{result}.of_unit"], domain="com.microsoft")
        scaled = helper.make_node("Mul", [f"{result}.of_unit", f"{source}.most"], [result])
        return [*self._rounding(source), product, scaled]

    def _rounding(self, source: str) -> list[onnx.NodeProto]:
        if source in self.rounded:
            return []
        self.rounded.add(source)
        size, most, above = f"{source}.size", f"{source}.most", f"{source}.above"
        return [
            helper.make_node("Abs", [source], [size]),
            helper.make_node("ReduceMax", [size, "int8.last"], [above], keepdims=1),
            helper.make_node("Max", [above, "int8.tiny"], [most]),
            helper.make_node("Div", [source, most], [f"{source}.unit"]),
            helper.make_node("QuantizeLinear", [f"{source}.unit", "int8.step", "int8.zero"], [f"{source}.int8"]),
        ]

    def _constant(self, name: str, value: Any) -> None:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)


def _traced(model: Any, path: Path) -> None:
    """Write the graph of a sentence-transformers model; its newer exporter would need a package more."""
    tokens = {name: part for name, part in model.preprocess(_PROBES[1:3]).items() if isinstance(part, Tensor)}
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in tokens]
    axes = {**{name: {0: "texts", 1: "tokens"} for name in names}, "vectors": {0: "texts"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of every Python value
        torch.onnx.export(
            _Plain(model, names).eval(),
            tuple(tokens[name] for name in names),
            str(path),
            input_names=names,
            output_names=["vectors"],
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )


def _write(folder: Path, known: dict[str, Any]) -> None:
    (folder / MANIFEST).write_text(json.dumps(known, indent=2), encoding="utf8")
