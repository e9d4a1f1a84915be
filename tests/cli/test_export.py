"""`palate export`: by name, out of a saved model, and what it refuses."""

import json

import palate
from cli.calls import run
from conftest import checkerboard
from palate.encode.onnx import manifest
from tiny import tiny_bert


def test_a_language_model_is_exported_by_its_folder(monkeypatch, capsys, tmp_path):
    model = tiny_bert(tmp_path / "bert")
    words = ("export", model, "--out", tmp_path / "out", "--precision", "int8", "--json")
    code, shown, _ = run(monkeypatch, capsys, *words)
    assert code == 0
    assert json.loads(shown)["files"] == manifest(tmp_path / "out")["files"]
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
