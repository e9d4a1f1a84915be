"""What every encoder promises (palate.contracts.Encoder); runs on all that palate.encode holds."""

import importlib
import pkgutil
from typing import Any

import numpy as np
import pytest

import palate.encode
from palate import build, store
from palate.contracts import Encoder
from palate.encode.hashing import HashingConfig, HashingEncoder
from palate.encode.joined import JoinedEncoder
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import NotFittedError
from palate.runtime import Runtime

ROOMY = 1e-2  # bf16: one text in two batches
TEXTS = (
    "quiet science fiction for a rainy evening",
    "A space ship finds a distant planet",
    "wedding cakes and true love",
    "流浪地球：太阳即将毁灭，人类带着地球离开",
    "三体 科幻小说 刘慈欣",
    "x",
    "?!",
    "science fiction " * 400,
)
WORDS = HashingConfig(dim=5, unit="words", shortest=1, longest=2)
TRANSFORMER = TransformerConfig(cache=False)
MADE = {
    "hashing": HashingEncoder(HashingConfig(dim=5)),
    "hashing-words": HashingEncoder(WORDS),
    "joined": JoinedEncoder(encoders=(TransformerEncoder(TRANSFORMER), HashingEncoder(WORDS))),
    "transformer": TransformerEncoder(TRANSFORMER),
    "transformer-int8": TransformerEncoder(TransformerConfig(cache=False, dtype="int8")),
}


def encoders() -> list[type]:
    """The classes of palate.encode that fit and encode."""
    modules = [
        importlib.import_module(f"palate.encode.{found.name}") for found in pkgutil.iter_modules(palate.encode.__path__)
    ]
    classes = {value for module in modules for value in vars(module).values() if isinstance(value, type)}
    inside = [kind for kind in classes if kind.__module__.startswith("palate.encode.")]
    return sorted((kind for kind in inside if {"fit", "encode"} <= set(dir(kind))), key=lambda kind: kind.__name__)


@pytest.fixture(scope="module", params=list(MADE))
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return MADE[request.param].fit(TEXTS, Runtime(seed=0))


def saved_and_loaded(encoder: Any, folder: Any) -> Any:
    store.save(folder, encoder, {})
    return store.load(folder, build.kinds())


def test_no_encoder_is_left_out():
    made = {type(one) for one in MADE.values()}
    assert encoders() == sorted(made, key=lambda kind: kind.__name__)
    assert len(made) == 3


def test_rows_are_unit_float32_vectors(encoder):
    vectors = encoder.encode(TEXTS, role="item")
    assert vectors.dtype == np.float32
    assert vectors.shape[0] == len(TEXTS)
    assert np.linalg.norm(vectors[:5], axis=1) == pytest.approx(1.0, abs=1e-5)


def test_the_order_of_the_texts_is_kept(encoder):
    order = np.random.default_rng(1).permutation(len(TEXTS))
    shuffled = encoder.encode([TEXTS[place] for place in order], role="item")
    np.testing.assert_allclose(shuffled, encoder.encode(TEXTS, role="item")[order], atol=ROOMY)


def test_a_batch_answers_as_its_members_do_alone(encoder):
    alone = np.concatenate([encoder.encode([text], role="item") for text in TEXTS])
    np.testing.assert_allclose(encoder.encode(TEXTS, role="item"), alone, atol=ROOMY)


def test_a_text_that_stands_twice_gives_the_same_row_twice(encoder):
    first, other, again = encoder.encode([TEXTS[0], TEXTS[1], TEXTS[0]], role="item")
    assert (first == again).all()
    assert not (first == other).all()


@pytest.mark.parametrize("empty", ["", " ", "\n\t "])
def test_an_empty_text_gives_a_zero_row(encoder, empty):
    vectors = encoder.encode([TEXTS[0], empty], role="query")
    assert vectors[0].any()
    assert not vectors[1].any()


def test_no_texts_give_no_rows_of_the_right_width(encoder):
    assert encoder.encode([], role="item").shape == (0, encoder.encode(TEXTS, role="item").shape[1])


def test_chinese_is_told_apart(encoder):
    vectors = encoder.encode(TEXTS[3:5], role="item")
    assert vectors[0] @ vectors[1] < 0.99


def test_what_stands_beyond_the_limit_is_not_read(encoder):
    start = "science fiction " * 500
    first, second = encoder.encode([f"{start} {end}" for end in ("love", "流浪")], role="item")
    np.testing.assert_allclose(first, second, atol=ROOMY)


def test_alike_texts_lie_closer_than_unlike_ones(encoder):
    space, planet, cake = encoder.encode(
        ["a space ship", "A space ship finds a distant planet", "wedding cakes and true love"], role="item"
    )
    assert space @ planet > space @ cake


def test_the_same_seed_gives_the_same_encoder(encoder):
    again = encoder.fit(TEXTS, Runtime(seed=0))
    assert (again.encode(TEXTS, role="item") == encoder.encode(TEXTS, role="item")).all()


def test_save_and_load_change_nothing(encoder, tmp_path):
    loaded = saved_and_loaded(encoder, tmp_path / "encoder")
    assert type(loaded) is type(encoder)
    assert (loaded.encode(TEXTS, role="item") == encoder.encode(TEXTS, role="item")).all()


@pytest.mark.parametrize("made", MADE.values(), ids=list(MADE))
def test_an_encoder_that_was_not_fitted_says_so(made):
    with pytest.raises(NotFittedError, match="Encoder: fit it"):
        made.encode(TEXTS, role="item")
