"""The pretrained encoder against sentence-transformers itself; identity, cache, prompts, refusals."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from palate import assets, store
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import AssetError
from palate.runtime import Runtime

TEXTS = [
    "quiet science fiction for a rainy evening",
    "Toy Story. Animation Children's Comedy",
    "流浪地球：太阳即将毁灭",
    "x",
    "A long description of a game in which ships fly to distant planets. " * 40,
]


@pytest.fixture(scope="module")
def minilm() -> Path:
    return assets.fetch("all-minilm-l6-v2")


@pytest.fixture
def vectors(minilm, tmp_path, monkeypatch) -> Path:
    """A cache folder of the test's own that holds MiniLM and no vectors."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / minilm.name).symlink_to(minilm)
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    return tmp_path


def fitted(**options: object) -> TransformerEncoder:
    return TransformerEncoder(TransformerConfig(**options)).fit([], Runtime())


@pytest.mark.parametrize(("dtype", "least"), [("fp32", 0.99999), ("bf16", 0.999)])
def test_vectors_are_those_of_sentence_transformers(minilm, dtype, least):
    theirs = SentenceTransformer(str(minilm), device="cpu").encode(TEXTS, normalize_embeddings=True)
    ours = fitted(dtype=dtype, cache=False, max_chars=10_000).encode(TEXTS, role="item")
    assert ((ours * theirs).sum(axis=1) >= least).all()


def test_the_size_of_a_batch_changes_nothing(minilm):
    one = fitted(dtype="fp32", cache=False, batch_tokens=1).encode(TEXTS, role="item")
    all_at_once = fitted(dtype="fp32", cache=False, batch_tokens=100_000).encode(TEXTS, role="item")
    np.testing.assert_allclose(one, all_at_once, atol=1e-5)


RUN = """
import sys
from palate.encode.transformer import TransformerEncoder
from palate.runtime import Runtime
TransformerEncoder().fit([], Runtime()).encode(["Alien", "Brazil"], role="item")
print("torch" in sys.modules)
"""


def test_a_second_run_encodes_nothing_and_does_not_load_torch(vectors):
    loaded = [subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True).stdout for _ in range(2)]
    assert loaded == ["True\n", "False\n"]


def test_what_comes_from_the_cache_is_what_was_computed(vectors):
    first = fitted().encode(TEXTS, role="item")
    assert (fitted().encode(TEXTS[::-1], role="item")[::-1] == first).all()


def test_a_prompt_is_put_before_texts_of_its_role(minilm):
    plain = fitted(dtype="fp32", cache=False)
    prompted = fitted(dtype="fp32", cache=False, query_prompt="query: ")
    np.testing.assert_allclose(
        prompted.encode(["Alien", ""], role="query"),
        [plain.encode(["query: Alien"], role="item")[0], np.zeros(384)],
        atol=1e-5,
    )
    np.testing.assert_allclose(prompted.encode(["Alien"], role="item"), plain.encode(["Alien"], role="item"), atol=1e-5)


def test_a_saved_encoder_refuses_other_weights(minilm, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(minilm, other)
    encoder = fitted(model=str(other), cache=False)
    store.save(tmp_path / "saved", encoder, {})
    (other / "config_sentence_transformers.json").write_text("{}")
    loaded = store.load(
        tmp_path / "saved", {"TransformerEncoder": TransformerEncoder, "TransformerConfig": TransformerConfig}
    )
    with pytest.raises(AssetError, match=r"not the encoder that this model was trained with.*train the model again"):
        loaded.encode(["Alien"], role="item")


def test_what_a_library_does_not_read_does_not_change_the_model(minilm, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(minilm, other)
    (other / "README.md").write_text("moved here")
    assert assets.fingerprint(other) == assets.fingerprint(minilm)


def test_pickled_weights_are_never_opened(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(AssetError, match=r"pytorch_model.bin: pickled weights are never opened"):
        fitted(model=str(tmp_path))


def test_a_folder_without_a_model_is_an_asset_error(tmp_path):
    with pytest.raises(AssetError, match="no text encoder can be loaded from it"):
        fitted(model=str(tmp_path), cache=False)


def test_a_hub_that_cannot_be_reached_is_an_asset_error(monkeypatch):
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(AssetError, match=r"the hub does not give it \(no route to host\); download it elsewhere"):
        fitted(model="intfloat/e5-small")


def test_threads_take_turns(minilm):
    encoder = fitted(dtype="fp32", cache=False)
    expected = encoder.encode(TEXTS, role="item")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda text: encoder.encode([text], role="item")[0], TEXTS * 2))
    np.testing.assert_allclose(answers, np.concatenate([expected, expected]), atol=1e-5)
