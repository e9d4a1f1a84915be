"""`palate export`: by name, out of a saved model, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest

import palate
from cli.calls import run
from conftest import checkerboard
from palate.exported.graph import manifest
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from tiny import tiny_bert


def test_a_language_model_is_exported_by_its_folder(monkeypatch, capsys, tmp_path):
    model = tiny_bert(tmp_path / "bert")
    words = ("export", model, "--out", tmp_path / "out", "--precision", "int8", "--json")
    code, shown, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert json.loads(shown)["files"] == manifest(tmp_path / "out", "encoder")["files"]
    code, _, told = run(monkeypatch, capsys, *words)
    assert (code, "exists; choose another folder" in told) == (1, True)


def test_the_encoder_of_a_saved_model_is_exported(monkeypatch, capsys, tmp_path):
    palate.fit(checkerboard(), "dense", encoder=tiny_bert(tmp_path / "bert")).save(tmp_path / "model")
    code, shown, _ = run(monkeypatch, capsys, "export", tmp_path / "model", "--out", tmp_path / "out")
    assert code == 0
    assert "least cosine with torch 1.0000" in shown


def test_a_model_without_a_language_model_is_told_so(monkeypatch, capsys, tmp_path):
    palate.fit(checkerboard(), "popular").save(tmp_path / "model")
    code, _, told = run(monkeypatch, capsys, "export", tmp_path / "model", "--out", tmp_path / "out")
    assert (code, "reads no texts by a language model" in told) == (2, True)


def test_the_cross_encoder_of_a_saved_model_is_exported(monkeypatch, capsys, tmp_path):
    model = palate.fit(checkerboard(), "popular")
    bare = CrossEncoder(CrossEncoderConfig(model=tiny_bert(tmp_path / "bert"))).identified().about(model.data.items)
    head = np.random.default_rng(1).normal(size=(1, 16)).astype(np.float32)
    rankers = (replace(bare, weights_={"head.weight": head}),)
    replace(model, recommender=replace(model.recommender, rankers=rankers)).save(tmp_path / "model")
    words = ("export", tmp_path / "model", "--out", tmp_path / "out", "--part", "ranker")
    code, shown, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert "100.00% of the spread of torch's scores explained" in shown
    assert manifest(tmp_path / "out", "ranker")["model"] == bare.fingerprint_


@pytest.mark.parametrize("model", ["a saved model without one", "all-minilm-l6-v2"])
def test_what_has_no_cross_encoder_is_told_so(monkeypatch, capsys, tmp_path, model):
    if model != "all-minilm-l6-v2":
        palate.fit(checkerboard(), "popular").save(tmp_path / model)
        model = tmp_path / model
    code, _, told = run(monkeypatch, capsys, "export", model, "--out", tmp_path / "out", "--part", "ranker")
    assert (code, "no saved model with a trained cross-encoder" in told) == (2, True)
