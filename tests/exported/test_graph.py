"""What was exported: refused where it is damaged, whichever network it is; what its manifest says."""

from pathlib import Path

import pytest

from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import AssetError, StoreError
from palate.exported.graph import MANIFEST, TOKENIZER, Graph, cached, graph_of, manifest
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.runtime import Runtime
from tiny import tiny_bert


@pytest.fixture(scope="module", params=["encoder", "ranker"])
def made(request, tmp_path_factory):
    """A part by name, and what exports it."""
    model = tiny_bert(tmp_path_factory.mktemp("bert"))
    if request.param == "encoder":
        return request.param, TransformerEncoder(TransformerConfig(model=model, cache=False)).fit([], Runtime())
    return request.param, CrossEncoder(CrossEncoderConfig(model=model)).identified()


@pytest.mark.parametrize("name", ["the graph", TOKENIZER, MANIFEST])
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_export_is_refused_with_the_way_out(made, tmp_path, name, damage):
    part, network = made
    network.export(tmp_path / "out", "fp32")
    path = tmp_path / "out" / (graph_of(part) if name == "the graph" else name)
    if damage == "changed":
        path.write_bytes(path.read_bytes()[:-3])
    else:
        path.unlink()
    with pytest.raises(AssetError, match=rf"{path.name}: missing or damaged; remove .* and export again"):
        Graph.open(tmp_path / "out", part, 64)


def test_one_part_is_not_taken_for_another(made, tmp_path):
    part, network = made
    network.export(tmp_path / "out", "fp32")
    with pytest.raises(AssetError, match=r"manifest\.json: missing or damaged"):
        Graph.open(tmp_path / "out", "ranker" if part == "encoder" else "encoder", 64)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_manifest_says_what_was_exported(made, tmp_path, precision):
    part, network = made
    network.export(tmp_path / "out", precision)
    known = manifest(tmp_path / "out", part)
    assert (known["precision"], known["model"]) == (precision, network.fingerprint_)
    assert known["least_cosine" if part == "encoder" else "explained"] > 0.95


def test_nothing_is_written_over(made, tmp_path):
    with pytest.raises(StoreError, match="exists; choose another folder"):
        made[1].export(tmp_path, "fp32")


def test_threads_that_wait_leave_the_processor_to_others(made, tmp_path):
    part, network = made
    network.export(tmp_path / "out", "fp32")
    options = Graph.open(tmp_path / "out", part, 64).session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_key_is_exported_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    calls: list[Path] = []

    def export(out: Path) -> None:
        calls.append(out)
        out.mkdir(parents=True)

    assert cached("a", "x", export) == cached("a", "x", export) != cached("b", "x", export)
    assert len(calls) == 2
    monkeypatch.setattr("palate.exported.graph.ROUNDING", 0)
    assert cached("a", "x", export) not in calls[:2]
