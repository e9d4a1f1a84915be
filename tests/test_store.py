import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from palate import store
from palate.errors import StoreError


@dataclass(frozen=True)
class Leaf:
    name: str
    value: Any = None


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    extra: dict[str, Any] = field(default_factory=dict)
    memory: dict[str, int] = field(init=False, default_factory=dict)


KINDS = {"Leaf": Leaf, "Tree": Tree}


def test_every_kind_of_value_survives(tmp_path):
    matrix = sparse.csr_matrix(np.eye(3, dtype=np.float32))
    tree = Tree(
        (Leaf("numbers", np.arange(3, dtype=np.int32)), Leaf("matrix", matrix), Leaf("texts", ("安静", "", "a\nb"))),
        {"none": None, "flag": True, "pair": (1, 2.5), "nothing": ()},
    )
    store.save(tmp_path / "model", tree, {"what": "test"})
    loaded = store.load(tmp_path / "model", KINDS)
    assert loaded.leaves[0].value.tolist() == [0, 1, 2]
    assert loaded.leaves[0].value.dtype == np.int32
    assert (loaded.leaves[1].value != matrix).nnz == 0
    assert loaded.leaves[2].value == ("安静", "", "a\nb")
    assert loaded.extra == tree.extra
    assert store.manifest(tmp_path / "model")["what"] == "test"


def test_what_occurs_twice_is_written_once_and_is_one_again(tmp_path):
    numbers, leaf = np.arange(1000), Leaf("shared")
    tree = Tree((leaf, Leaf("first", numbers), Leaf("second", numbers)), {"inner": Tree((leaf,)), "last": leaf})
    store.save(tmp_path / "model", tree, {})
    loaded = store.load(tmp_path / "model", KINDS)
    assert loaded.leaves[1].value is loaded.leaves[2].value
    assert loaded.leaves[0] is loaded.extra["inner"].leaves[0] is loaded.extra["last"]
    assert (tmp_path / "model" / "arrays.safetensors").stat().st_size < 2 * numbers.nbytes


def test_saving_again_replaces_the_model_and_leaves_nothing_beside_it(tmp_path):
    store.save(tmp_path / "model", Leaf("old"), {})
    store.save(tmp_path / "model", Leaf("new"), {})
    assert store.load(tmp_path / "model", KINDS).name == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_holds_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreError, match="not a saved model"):
        store.save(tmp_path, Leaf("x"), {})
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_a_damaged_file_is_refused_before_it_is_opened(tmp_path):
    store.save(tmp_path / "model", Leaf("x", np.arange(100)), {})
    path = tmp_path / "model" / "arrays.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        store.load(tmp_path / "model", KINDS)


@pytest.mark.parametrize("change", [{"format": 99}, {"files": None}])
def test_a_foreign_manifest_is_refused(tmp_path, change):
    store.save(tmp_path / "model", Leaf("x"), {})
    path = tmp_path / "model" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(StoreError):
        store.load(tmp_path / "model", KINDS)


def test_a_missing_folder_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(StoreError, match="palate train"):
        store.load(tmp_path / "model", KINDS)


def test_only_allowed_classes_are_built(tmp_path):
    store.save(tmp_path / "model", Leaf("x"), {})
    with pytest.raises(StoreError, match="incompatible"):
        store.load(tmp_path / "model", {"Tree": Tree})


def test_a_value_that_cannot_be_saved_says_so(tmp_path):
    with pytest.raises(StoreError, match="function"):
        store.save(tmp_path / "model", Leaf("x", lambda: None), {})
    assert list(tmp_path.iterdir()) == []
