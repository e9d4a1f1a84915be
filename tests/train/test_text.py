"""Dense retrieval whose encoder is tuned while it is fitted: it learns, does no harm, and is saved with the model."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate import store
from palate.build import kinds
from palate.runtime import Runtime
from palate.train.blend import Blend
from palate.train.text import TextTrainer, TextTrainerConfig
from retrieve.fakes import asking
from train.tiny import encoder_folder

OPTIONS = {"epochs": 6, "held_out": 60, "pairs": 400, "batch": 16, "max_tokens": 64, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def board():
    """Titles that say nothing of the two tastes."""
    data = checkerboard(n_users=120)
    return replace(
        data, items=replace(data.items, title=tuple(f"volume {item}" for item in range(20)), tags=("",) * 20)
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(encoder_folder(tmp_path_factory.mktemp("tiny") / "bert"))


@pytest.fixture(scope="module")
def tuned(board, tiny):
    config = TextTrainerConfig(model=tiny, method="full", **OPTIONS)
    return TextTrainer(config).fit(board, Runtime(seed=0, quiet=True))


def test_tastes_are_learned_from_histories_read_item_by_item(tuned):
    found = tuned.record["held_out"]
    assert tuned.record["kept"]
    assert found["low"] > 0
    assert found["after"] > found["before"] + 0.1
    near = tuned.scores(asking([0, 2], [1, 3]))[:, 4:18]
    even = np.arange(4, 18) % 2 == 0
    assert near[0, even].mean() > near[0, ~even].mean()
    assert near[1, ~even].mean() > near[1, even].mean()


def test_the_tuned_part_is_saved_with_the_model(tuned, tmp_path):
    store.save(tmp_path / "model", tuned, {})
    again = store.load(tmp_path / "model", kinds())
    queries = asking([0, 2], [], wishes=["", "volume 3"])
    assert np.array_equal(again.scores(queries), tuned.scores(queries))
    assert again.record == tuned.record


def test_an_encoder_that_got_worse_stays_as_it_was(tiny, runtime):
    """Steps so large that nothing of the words is left, where words tell the taste."""
    config = TextTrainerConfig(model=tiny, method="full", **{**OPTIONS, "epochs": 1, "learning_rate": 10.0})
    dense = TextTrainer(config).fit(checkerboard(n_users=120), runtime)
    assert dense.record["held_out"]["after"] < dense.record["held_out"]["before"]
    assert not dense.record["kept"]
    assert dense.encoder.part_ == {}


def test_too_few_people_leave_the_encoder_as_it_was(tiny, runtime):
    dense = TextTrainer(TextTrainerConfig(model=tiny)).fit(checkerboard(n_users=30), runtime)
    assert not dense.record["kept"]
    assert "could be held out" in dense.record["reason"]
    assert dense.encoder.part_ == {}


def test_a_blend_tells_what_tuning_brought(board, tiny, runtime):
    config = TextTrainerConfig(model=tiny, **{**OPTIONS, "epochs": 1})
    fused, _, _ = Blend(members=(TextTrainer(config),)).fit(board, runtime)
    assert set(fused.record["tuned"]) == {"TextTrainer"}
