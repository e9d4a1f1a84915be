"""A graph of ONNX to the same whose products with constant matrices are of integers."""

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_HALF = 63  # 7 bits: with 8, pairs of products saturate on processors without VNNI


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
