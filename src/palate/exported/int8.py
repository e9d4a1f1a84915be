"""A graph of ONNX to the same whose products with constant matrices are of integers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from palate.types import Floats

_PAIR = 127  # with rounding 128 at most: 128 * 255 still fits the 16 bits of processors without VNNI
_GELU_LEAST = 0.17  # it is never below -.16998
_GELU_ZERO = 16  # of 255 steps
_FAINT = 0.01  # of the largest channel: what is fainter counts as this


def in_int8(model: onnx.ModelProto, loud: Mapping[str, Floats]) -> onnx.ModelProto:
    """The graph with int8 weights in each product with a constant matrix (K, N); other products stay in fp32.

    An input row x becomes round(127 x / max|x|) + 128 in uint8; what the integers give is multiplied by both scales.
    After GELU, where next to nothing is below zero, 239 of the 255 steps are above it. A column of weights is rounded
    as finely as no two neighbours of one sign make more than 128, so that processors that add products of neighbours in
    16 bits (AVX2, AVX-512 without VNNI) and those that do not say the same.

    loud: the largest number of each channel (K,) of what `normed` names, as it was seen; such a channel is divided by
    the root of loud / the largest of its weights, and its weights are multiplied by it (SmoothQuant: Xiao et al., 2023,
    section 4, exponent .5). Rows louder than what was seen are not cut, since each has a scale of its own.
    """
    graph = model.graph
    known = _constants(model)
    products = {node.output[0]: known[node.input[1]] for node in _products(model)}
    weights: dict[str, Floats] = {}  # (K,) the largest, of all that read a source
    for node in _products(model):
        largest, source = np.abs(products[node.output[0]]).max(axis=1), node.input[0]
        weights[source] = np.maximum(weights[source], largest) if source in weights else largest
    factors = {name: np.sqrt(_audible(loud[name]) / _audible(weights[name])) for name in weights if name in loud}
    made = _Int8(factors, _gelus(model))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes += made.product(node, products[node.output[0]]) if node.output[0] in products else [node]
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    constants = [one for name, one in made.constants.items() if name in used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*kept, *constants])
    if not any(one.domain == "com.microsoft" for one in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def normed(model: onnx.ModelProto) -> list[str]:
    """The outputs of layer norms that products with constant matrices read."""
    read = {node.input[0] for node in _products(model)}
    return [
        node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization" and node.output[0] in read
    ]


def with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """A copy that says these values instead of its result."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return copy


@dataclass(frozen=True, slots=True)
class _Rounded:
    """The names of a source in integers: itself, the factor of each row, its step and its zero."""

    value: str
    most: str
    step: str
    zero: str


class _Int8:
    """Nodes and constants that stand for products; an input of several products is rounded once."""

    def __init__(self, factors: Mapping[str, Floats], gelus: set[str]) -> None:
        self.factors, self.gelus = factors, gelus
        self.constants: dict[str, onnx.TensorProto] = {}
        self.rounded: dict[str, _Rounded] = {}
        self._constant("int8.step", np.float32(1 / 127))
        self._constant("int8.zero", np.uint8(128))
        self._constant("int8.last", np.array([-1], np.int64))
        self._constant("int8.tiny", np.float32(1e-12))
        self._constant("gelu.step", np.float32(1 / (255 - _GELU_ZERO)))
        self._constant("gelu.zero", np.uint8(_GELU_ZERO))
        self._constant("gelu.tiny", np.float32(_GELU_LEAST * (255 - _GELU_ZERO) / _GELU_ZERO))

    def product(self, node: onnx.NodeProto, weights: Floats) -> list[onnx.NodeProto]:
        source, name, result = node.input[0], f"{node.input[1]}.int8", node.output[0]
        if source in self.factors:
            weights = weights * self.factors[source][:, None]
        steps = _steps(weights)
        self._constant(name, np.rint(weights / steps).astype(np.int8))
        self._constant(f"{name}.step", steps)
        nodes = [] if source in self.rounded else self._rounding(source)
        of = self.rounded[source]
        inputs = [of.value, name, of.step, f"{name}.step", of.zero, ""]
        product = helper.make_node("MatMulIntegerToFloat", inputs, [f"{result}.of_unit"], domain="com.microsoft")
        return [*nodes, product, helper.make_node("Mul", [f"{result}.of_unit", of.most], [result])]

    def _rounding(self, source: str) -> list[onnx.NodeProto]:
        nodes, even = [], source
        if source in self.factors:
            even = f"{source}.even"
            self._constant(f"{source}.evening", (1 / self.factors[source]).astype(np.float32))
            nodes.append(helper.make_node("Mul", [source, f"{source}.evening"], [even]))
        kind, size = ("gelu", even) if source in self.gelus else ("int8", f"{source}.size")
        if kind == "int8":
            nodes.append(helper.make_node("Abs", [even], [size]))
        of = self.rounded[source] = _Rounded(f"{source}.int8", f"{source}.most", f"{kind}.step", f"{kind}.zero")
        return [
            *nodes,
            helper.make_node("ReduceMax", [size, "int8.last"], [f"{source}.above"], keepdims=1),
            helper.make_node("Max", [f"{source}.above", f"{kind}.tiny"], [of.most]),
            helper.make_node("Div", [even, of.most], [f"{source}.unit"]),
            helper.make_node("QuantizeLinear", [f"{source}.unit", of.step, of.zero], [of.value]),
        ]

    def _constant(self, name: str, value: Any) -> None:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)


def _steps(weights: Floats) -> Floats:
    """(N,) for weights (K, N), of which the rows 0 and 1, 2 and 3 ... are neighbours."""
    pairs = np.pad(weights, ((0, len(weights) % 2), (0, 0))).reshape(-1, 2, weights.shape[1])
    above, below = (np.maximum(each, 0).sum(axis=1).max(axis=0) for each in (pairs, -pairs))
    found: Floats = np.maximum(np.maximum(above, below) / _PAIR, 1e-12).astype(np.float32)
    return found


def _audible(channels: Floats) -> Floats:
    return np.maximum(channels, max(_FAINT * float(channels.max()), 1e-12)).astype(np.float32)


def _products(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Those with constant matrices."""
    matrices = {one.name for one in model.graph.initializer if len(one.dims) == 2}
    return [node for node in model.graph.node if node.op_type == "MatMul" and node.input[1] in matrices]


def _constants(model: onnx.ModelProto) -> dict[str, Any]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def _gelus(model: onnx.ModelProto) -> set[str]:
    """What is x (erf(x / √2) + 1) / 2 as torch writes it: Erf, Add, Mul and Mul, each read by the next alone."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    halves = _halves(model)
    found = set()
    for node in model.graph.node:
        chain = [node]
        while len(after := readers.get(chain[-1].output[0], [])) == 1 and len(chain) < 4:
            chain.append(after[0])
        if [one.op_type for one in chain] == ["Erf", "Add", "Mul", "Mul"] and halves & set(chain[-1].input):
            found.add(chain[-1].output[0])
    return found


def _halves(model: onnx.ModelProto) -> set[str]:
    """The names of the number one half."""
    known = _constants(model)
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            known[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return {name for name, value in known.items() if value.size == 1 and value.item() == 0.5}
