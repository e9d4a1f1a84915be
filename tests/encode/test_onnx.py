"""The encoder by ONNX Runtime: says what torch says, hangs on no batch, opens without torch."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from palate.encode.onnx import Vectors
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import ConfigError
from palate.runtime import Runtime
from palate.tuning.methods import MethodConfig
from tiny import tiny_bert

TEXTS = ["space ships", "wedding cakes and true love", "distant planets , volume 7 " * 30, "love"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> TransformerEncoder:
    model = tiny_bert(tmp_path_factory.mktemp("bert"))
    return TransformerEncoder(TransformerConfig(model=model, dtype="fp32", cache=False)).fit([], Runtime())


@pytest.fixture(scope="module", params=["fp32", "int8"])
def exported(request, encoder, tmp_path_factory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("exported") / "out"
    encoder.export(folder, request.param)
    return request.param, folder


def test_vectors_are_those_of_torch(encoder, exported):
    precision, folder = exported
    cosines = (Vectors.open(folder, 256).encode(TEXTS, 64) * encoder.encode(TEXTS, role="item")).sum(axis=1)
    assert cosines.min() > {"fp32": 0.99999, "int8": 0.99}[precision]


def test_int8_reads_every_weight_matrix_as_integers(exported):
    precision, folder = exported
    products = [node.op_type for node in onnx.load(folder / "encoder.onnx").graph.node if "MatMul" in node.op_type]
    assert products.count("MatMulIntegerToFloat") == {"fp32": 0, "int8": 6}[precision]
    assert products.count("MatMul") == {"fp32": 8, "int8": 2}[precision]  # 2 in attention, between activations


def test_int8_evens_out_what_norms_say_and_knows_gelu(exported):
    names = {name for node in onnx.load(exported[1] / "encoder.onnx").graph.node for name in node.input}
    found = sum(name.endswith(".evening") for name in names), "gelu.zero" in names
    assert found == {"fp32": (0, False), "int8": (2, True)}[exported[0]]  # a layer: before attention, and after it


def test_a_vector_does_not_hang_on_its_batch(exported):
    graph = Vectors.open(exported[1], 256)
    alone = np.concatenate([graph.encode([text], 64) for text in TEXTS])
    for size in (1, 64, 10_000):
        np.testing.assert_allclose(graph.encode(TEXTS, size), alone, atol={"fp32": 1e-5, "int8": 1e-2}[exported[0]])


RUN = """
import sys
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.runtime import Runtime
config = TransformerConfig(model=sys.argv[1], dtype="int8", cache=False)
print(TransformerEncoder(config).fit([], Runtime()).encode(["love"], role="item").shape, "torch" in sys.modules)
"""


def test_int8_is_exported_once_and_then_reads_without_torch(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    command = [sys.executable, "-W", "ignore", "-c", RUN, encoder.config.model]
    shown = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert shown == ["(1, 16) True\n", "(1, 16) False\n"]
    assert len(list((tmp_path / "onnx").iterdir())) == 1


def test_int8_vectors_are_never_taken_for_others(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    kept = [
        replace(encoder, config=replace(encoder.config, cache=True, dtype=dtype)).encode(TEXTS, role="item")
        for dtype in ("fp32", "int8", "fp32")
    ]
    assert (kept[0] == kept[2]).all()
    assert (kept[0] != kept[1]).any()


def test_int8_vectors_of_another_rounding_are_made_anew(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    quick = replace(encoder, config=replace(encoder.config, cache=True, dtype="int8"))
    quick.encode(TEXTS, role="item")
    for module in ("palate.encode.transformer", "palate.exported.graph"):
        monkeypatch.setattr(f"{module}.ROUNDING", 0)
    other = replace(quick, config=quick.config)
    monkeypatch.setattr(type(other), "_computed", lambda self, texts: np.full((len(texts), 16), 0.25, np.float32))
    assert (other.encode(TEXTS, role="item") == 0.25).all()
    monkeypatch.undo()


@pytest.mark.parametrize("method", ["lora", "head"])
def test_a_tuned_part_is_merged_or_refused_by_name(encoder, tmp_path, method):
    tuned = replace(encoder, part_=part(encoder, method))
    if method == "head":
        with pytest.raises(ConfigError, match="method head: cannot be merged"):
            tuned.export(tmp_path / "out", "fp32")
        return
    tuned.export(tmp_path / "out", "fp32")
    found, plain = Vectors.open(tmp_path / "out", 256).encode(TEXTS, 64), encoder.encode(TEXTS, role="item")
    np.testing.assert_allclose(found, tuned.encode(TEXTS, role="item"), atol=1e-5)
    assert np.abs(found - plain).max() > 1e-3


def part(encoder, method):
    """A part that says something else than the network."""
    from palate.tuning.packed import packed
    from palate.tuning.tuned import tunable

    tuned = tunable(encoder.open().model[0].model, MethodConfig(method=method))
    for value in tuned.parameters():
        if value.requires_grad:
            value.data += 0.3
    return packed(tuned)
