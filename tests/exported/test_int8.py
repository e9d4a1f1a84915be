"""Products of integers: how far rounding takes a row, by a matrix that leaves it as it is."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from palate.exported.int8 import in_int8

WIDTH = 8


@pytest.fixture(scope="module")
def session():
    """x times the unit matrix."""
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", WIDTH]) for name in ("x", "y")]
    unit = numpy_helper.from_array(np.eye(WIDTH, dtype=np.float32), "unit")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "unit"], ["y"])], "g", places[:1], places[1:], [unit])
    model = in_int8(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_a_row_is_rounded_to_127_steps_of_its_own_largest_number(session):
    x = np.random.default_rng(0).normal(size=(64, WIDTH)).astype(np.float32) * np.array([[1], [30]] * 32, np.float32)
    found = session.run(None, {"x": x})[0]
    half = np.abs(x).max(axis=1, keepdims=True) / 254
    assert (np.abs(found - x) <= 1.001 * half).all()
    assert (found != x).any()


def test_other_rows_of_a_batch_change_nothing(session):
    x = np.random.default_rng(0).normal(size=(2, WIDTH)).astype(np.float32) * np.array([[1], [1000]], np.float32)
    assert (session.run(None, {"x": x})[0][:1] == session.run(None, {"x": x[:1]})[0]).all()
