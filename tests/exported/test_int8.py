"""Products of integers: how far rounding takes a row, by a matrix that leaves it as it is; the integers of weights."""

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from palate.exported.int8 import in_int8, normed, with_outputs

WIDTH = 8
UNIT = np.eye(WIDTH, dtype=np.float32)


def plain(weights):
    """x times a matrix, in ONNX."""
    places = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width])
        for name, width in zip(("x", "y"), weights.shape, strict=True)
    ]
    matrix = numpy_helper.from_array(weights.astype(np.float32), "matrix")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "matrix"], ["y"])], "g", places[:1], places[1:], [matrix]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def traced(*layers):
    """Those and a product with the unit matrix, as torch exports them."""
    last, file = nn.Linear(WIDTH, WIDTH, bias=False), io.BytesIO()
    last.weight.data = torch.eye(WIDTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            nn.Sequential(*layers, last).eval(),
            (torch.ones(2, WIDTH),),
            file,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
            opset_version=18,
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def said(model, x):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def integers(model):
    """The int8 weights of its only product."""
    return next(
        numpy_helper.to_array(one).astype(int) for one in model.graph.initializer if one.data_type == TensorProto.INT8
    )


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_a_row_is_rounded_to_127_steps_of_its_own_largest_number():
    x = normal(64, WIDTH) * np.array([[1], [30]] * 32, np.float32)
    found = said(in_int8(plain(UNIT), {}), x)
    half = np.abs(x).max(axis=1, keepdims=True) / 254
    assert (np.abs(found - x) <= 1.001 * half).all()
    assert (found != x).any()


def test_other_rows_of_a_batch_change_nothing():
    x, model = normal(2, WIDTH) * np.array([[1], [1000]], np.float32), in_int8(plain(UNIT), {})
    assert (said(model, x)[:1] == said(model, x[:1])).all()


@pytest.mark.parametrize("rows", [384, 7])
def test_no_two_neighbours_overflow_16_bits(rows):
    found = np.pad(integers(in_int8(plain(normal(rows, 64)), {})), ((0, rows % 2), (0, 0))).reshape(-1, 2, 64)
    loudest = 255 * np.maximum(np.maximum(found, 0).sum(axis=1), np.maximum(-found, 0).sum(axis=1))
    assert loudest.max() <= 32767
    assert (loudest.max(axis=0) >= 255 * 126).all()  # and no finer step would do


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        pytest.param([1, 1, 0, 0], [64, 64, 0, 0], id="neighbours-of-one-sign-share"),
        pytest.param([1, -1, 0, 0], [127, -127, 0, 0], id="of-two-signs-they-do-not"),
        pytest.param([0, 1, 1, 0], [0, 127, 127, 0], id="nor-where-they-are-of-two-pairs"),
        pytest.param([-1, -0.27, 0.5, 0], [-100, -27, 50, 0], id="below-zero-as-above"),
    ],
)
def test_weights_are_rounded_as_finely_as_their_neighbours_allow(column, expected):
    found = integers(in_int8(plain(np.array([column]).T * [[1, 5]]), {}))
    np.testing.assert_allclose(found, np.array([expected, expected]).T, atol=0.5)


def test_a_loud_channel_no_longer_takes_the_steps_of_the_others():
    x = normal(64, WIDTH) * np.array([100, *[1] * (WIDTH - 1)], np.float32)
    quiet, loud = (
        np.abs(said(in_int8(plain(UNIT), seen), x) - x)[:, 1:].max() for seen in ({}, {"x": np.abs(x).max(axis=0)})
    )
    assert loud < quiet / 4


def test_what_is_louder_than_was_seen_is_not_cut():
    x = 50 * normal(64, WIDTH)
    silent = {"x": np.array([1, *[0] * (WIDTH - 1)], np.float32)}  # counts as a hundredth, whose root is a tenth
    bound = 1.001 * 10 * np.abs(x).max(axis=1, keepdims=True) / 254
    assert (np.abs(said(in_int8(plain(UNIT), silent), x) - x) <= bound).all()


def test_after_gelu_a_row_has_239_steps_above_zero_and_keeps_what_is_below():
    x = np.concatenate([normal(64, WIDTH) * 3, np.full((1, WIDTH), -0.7517916, np.float32)])  # its least: -.16998
    expected = said(traced(nn.GELU()), x)
    found = said(in_int8(traced(nn.GELU()), {}), x)
    half = np.maximum(expected.max(axis=1, keepdims=True), 0.17 * 239 / 16) / 478
    assert (np.abs(found - expected) <= 1.01 * half).all()


class Doubled(nn.GELU):
    def forward(self, x):
        return 2 * super().forward(x)


class Unhalved(nn.Module):
    def forward(self, x):
        return x * (torch.erf(x / 2**0.5) + 1) * 3


@pytest.mark.parametrize("layer", [Doubled, Unhalved])
def test_what_is_not_quite_gelu_is_rounded_on_both_sides(layer):
    expected = said(traced(layer()), x := normal(64, WIDTH))
    half = np.abs(expected).max(axis=1, keepdims=True) / 254
    assert (np.abs(said(in_int8(traced(layer()), {}), x) - expected) <= 1.01 * half).all()


def test_norms_that_products_read_are_named_and_can_be_listened_to():
    model = traced(nn.LayerNorm(WIDTH))
    names = normed(model)
    assert len(names) == 1
    found = said(with_outputs(model, names), normal(4, WIDTH) * 9)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-3)
    assert normed(traced(nn.GELU())) == []
