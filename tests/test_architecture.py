"""The house rules of docs/architecture.md: who may import whom, and where third parties may be touched."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "palate"

LINES = (
    {"errors"},
    {"types"},
    {"bars", "config", "precision", "runtime", "store", "vectors"},
    {"data", "assets", "exported", "tuning"},
    {"contracts"},
    {"text", "metrics"},
    {"encode", "retrieve", "rank", "guard", "explain"},
    {"pipeline", "generate"},
    {"train"},
    {"build"},
    {"evaluation", "model", "monitor"},
    {"apps", "scale"},
    {"serve"},
    {"cli"},
)
LINE_OF = {room: line for line, rooms in enumerate(LINES) for room in rooms}
STAGES = LINES[6]

EDGES = {  # third-party package -> the rooms that may import it
    "polars": {"data", "evaluation", "model"},
    "narwhals": {"data", "evaluation", "model"},
    "pandas": {"data"},
    "torch": {
        "precision",
        "retrieve/dropout",
        "retrieve/sasrec",
        "retrieve/backbone",
        "retrieve/gru4rec",
        "encode/forward",
        "encode/convert",
        "encode/onnx_export",
        "exported/write",
        "rank/reader",
        "rank/onnx_export",
        "generate/causal",
        "train",
        "tuning",
    },
    "transformers": {"bars", "encode/forward", "encode/convert", "generate/causal", "rank/reader", "train"},
    "sentence_transformers": {"encode/forward", "train"},
    "onnx": {"exported/write", "exported/int8"},
    "onnxruntime": {"exported/graph"},
    "peft": {"tuning", "train", "generate/causal"},
    "typer": {"cli"},
    "fastapi": {"serve"},
    "starlette": {"serve"},
    "uvicorn": {"serve"},
    "aiohttp": {"serve"},
    "sqlalchemy": {"serve"},
    "alembic": {"serve"},
    "prometheus_client": {"serve"},
    "jinja2": {"serve"},
    "markupsafe": {"serve"},
    "ray": {"scale"},
    "matplotlib": {"evaluation"},
    "implicit": {"retrieve/ials"},
    "bm25s": {"retrieve/lexical"},
    "faiss": {"retrieve/approximate"},
    "lightgbm": {"rank/features"},
}


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [node.module or ""]
            found += [f"{node.module}.{name.name}" for name in node.names if node.module == "palate"]
    return found


def violations(source: Path) -> list[str]:
    broken = []
    for path in sorted(source.rglob("*.py")):
        place = path.relative_to(source).with_suffix("").as_posix()
        room = place.split("/")[0]
        if room in ("__init__", "__main__"):
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "palate" and len(parts) > 1:
                other = parts[1]
                if other not in LINE_OF:
                    broken.append(f"{place}: palate.{other} stands on no line")
                elif other != room and LINE_OF[other] >= LINE_OF[room]:
                    broken.append(f"{place} imports palate.{other}, which is not on a lower line")
                elif room == "pipeline" and other not in ("contracts", "types", "errors"):
                    broken.append(f"pipeline imports palate.{other}")
            elif parts[0] in EDGES and not {room, place} & EDGES[parts[0]]:
                broken.append(f"{place} imports {parts[0]}, which belongs in {', '.join(sorted(EDGES[parts[0]]))}")
    return broken


def test_every_room_stands_on_a_line():
    rooms = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__main__", "__pycache__", "py"} <= set(LINE_OF)


def test_no_import_goes_up():
    assert violations(SOURCE) == []


@pytest.mark.parametrize(
    ("place", "line", "complaint"),
    [
        pytest.param("types.py", "from palate.data.dataset import Dataset", "not on a lower line", id="upward"),
        pytest.param("retrieve/x.py", "from palate.rank import y", "not on a lower line", id="stage-to-stage"),
        pytest.param("pipeline.py", "import palate.store", "pipeline imports", id="pipeline-to-store"),
        pytest.param("guard/x.py", "import torch", "torch", id="third-party"),
    ],
)
def test_a_planted_import_is_found(tmp_path, place, line, complaint):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(line)
    assert len(violations(tmp_path)) == 1
    assert complaint in violations(tmp_path)[0]
