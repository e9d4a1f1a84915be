"""Pairs by ONNX Runtime: scores are torch's, hang on no batch, are exported once and then read without torch."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest

from palate import store
from palate.errors import AssetError, ConfigError
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.onnx import Pairs
from palate.tuning.methods import MethodConfig
from tiny import tiny_bert

PEOPLE = ["space ships ; distant planets", "wedding cakes", "", "love ; space " * 40]
ITEMS = ["planets and ships , volume 3", "true love " * 30, "cakes", "wedding cakes and true love"]
PRIOR = np.array([0.5, -1, 0, 2], np.float32)


@pytest.fixture(scope="module")
def ranker(tmp_path_factory):
    """Its head is random, so that it has opinions."""
    config = CrossEncoderConfig(model=tiny_bert(tmp_path_factory.mktemp("bert")), dtype="fp32")
    head = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    weights = {"head.weight": head, "head.bias": np.ones(1, np.float32), "trust": np.full(1, 2, np.float32)}
    return replace(CrossEncoder(config).identified(), weights_=weights)


@pytest.fixture(scope="module", params=["fp32", "int8"])
def exported(request, ranker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "out"
    ranker.export(folder, request.param)
    return request.param, Pairs.open(folder, 256)


def test_scores_are_those_of_torch(ranker, exported):
    precision, pairs = exported
    expected, found = ranker.scores(PEOPLE, ITEMS, PRIOR), pairs.read(PEOPLE, ITEMS, PRIOR, 64)
    np.testing.assert_allclose(found, expected, atol={"fp32": 1e-3, "int8": 0.2 * expected.std()}[precision])
    assert (found != expected).any() or precision == "fp32"


def test_int8_reads_every_weight_matrix_of_the_transformer_as_integers(ranker, tmp_path):
    ranker.export(tmp_path / "out", "int8")
    products = [node.op_type for node in onnx.load(tmp_path / "out" / "ranker.onnx").graph.node]
    assert products.count("MatMulIntegerToFloat") == 6
    assert products.count("MatMul") == 2  # in attention, between activations


def test_the_slates_own_score_counts_as_much_as_training_found(exported):
    more = exported[1].read(PEOPLE, ITEMS, PRIOR + 1, 64) - exported[1].read(PEOPLE, ITEMS, PRIOR, 64)
    np.testing.assert_allclose(more, 2, atol=1e-4)


def test_a_score_does_not_hang_on_its_batch(exported):
    precision, pairs = exported
    alone = np.concatenate(
        [pairs.read([a], [b], np.full(1, c), 64) for a, b, c in zip(PEOPLE, ITEMS, PRIOR, strict=True)]
    )
    for size in (1, 64, 10_000):
        found = pairs.read(PEOPLE, ITEMS, PRIOR, size)
        np.testing.assert_allclose(found, alone, atol={"fp32": 1e-4, "int8": 1e-2}[precision])


def test_no_pairs_get_no_scores(exported):
    assert exported[1].read([], [], np.zeros(0, np.float32), 64).shape == (0,)


RUN = """
import sys
import numpy as np
from pathlib import Path
from palate import store
from palate.rank.cross import CrossEncoder, CrossEncoderConfig, MethodConfig
kinds = {kind.__name__: kind for kind in (CrossEncoder, CrossEncoderConfig, MethodConfig)}
ranker = store.load(Path(sys.argv[1]), kinds)
print(ranker.scores(["love"], ["cakes"], np.zeros(1, np.float32)).shape, "torch" in sys.modules)
"""


def test_int8_is_exported_once_and_then_reads_without_torch(ranker, tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    quick = replace(ranker, config=replace(ranker.config, dtype="int8"))
    quick.scores(PEOPLE, ITEMS, PRIOR)
    store.save(tmp_path / "saved", quick, {})
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(tmp_path / "saved")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "(1,) False\n"
    assert len(list((tmp_path / "cache" / "onnx").iterdir())) == 1


def test_other_weights_are_exported_anew_and_another_model_refused(ranker, tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path / "cache"))
    quick = replace(ranker, config=replace(ranker.config, dtype="int8"))
    other = replace(quick, weights_={**quick.weights_, "trust": np.zeros(1, np.float32)})
    assert (quick.scores(PEOPLE, ITEMS, PRIOR) != other.scores(PEOPLE, ITEMS, PRIOR)).any()
    assert len(list((tmp_path / "cache" / "onnx").iterdir())) == 2
    moved = replace(quick, config=replace(quick.config, model=tiny_bert(tmp_path / "other", seed=1)))
    with pytest.raises(AssetError, match="not the model that this ranker was trained with"):
        moved.scores(PEOPLE, ITEMS, PRIOR)


@pytest.mark.parametrize("method", ["lora", "full", "prefix"])
def test_a_tuned_part_is_merged_or_refused_by_name(ranker, tmp_path, method):
    reader = replace(ranker, method_=MethodConfig(method=method)).open()
    weights = {name: value + 0.1 for name, value in reader.learned().items()}
    tuned = replace(ranker, method_=MethodConfig(method=method), weights_=weights)
    if method == "prefix":
        with pytest.raises(ConfigError, match="method prefix: cannot be merged"):
            tuned.export(tmp_path / "out", "fp32")
        return
    tuned.export(tmp_path / "out", "fp32")
    found = Pairs.open(tmp_path / "out", 256).read(PEOPLE, ITEMS, PRIOR, 64)
    np.testing.assert_allclose(found, tuned.scores(PEOPLE, ITEMS, PRIOR), atol=1e-3)
    assert np.abs(found - ranker.scores(PEOPLE, ITEMS, PRIOR)).max() > 1e-2
