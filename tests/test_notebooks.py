"""The notebooks of the documentation run from top to bottom."""

import sys
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.filterwarnings("ignore")  # of Jupyter's own
@pytest.mark.parametrize("name", sorted(path.name for path in DOCS.glob("*.ipynb")))
def test_a_notebook_runs(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    notebook = nbformat.read(DOCS / name, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), f"{name}: outputs are not kept; clear them"
    done = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(part.get("text", "") for cell in done.cells for part in cell.get("outputs", []))
    assert "before" in said
    assert "trial 3" in said


def test_there_is_a_notebook():
    assert (DOCS / "tuning.ipynb").is_file()
