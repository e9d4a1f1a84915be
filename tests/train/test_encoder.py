"""An encoder tuned on data with a known right answer: it learns, opens, goes on after being killed, refuses."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from conftest import checkerboard
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import DataError, StoreError
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
from palate.train.judge import Judge
from palate.tuning.methods import METHODS
from train.tiny import encoder_folder

TOLD = {"epochs": 2, "held_out": 60, "pairs": 96, "batch": 16, "max_tokens": 64, "patience": 5}


@pytest.fixture(scope="module")
def many():
    return checkerboard(n_users=120)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return encoder_folder(tmp_path_factory.mktemp("tiny") / "bert")


def tuner(model, **options):
    return EncoderTuner(EncoderTunerConfig(model=model, **{**TOLD, **options}))


def vectors(folder, texts):
    config = TransformerConfig(model=str(folder), dtype="fp32", cache=False)
    return TransformerEncoder(config).fit([], Runtime()).encode(texts, role="item")


def test_tastes_are_learned(many, tiny, tmp_path, runtime):
    """From titles that say nothing of it."""
    options = {"epochs": 6, "pairs": 400, "learning_rate": 3e-3}
    items = replace(many.items, title=tuple(f"volume {item}" for item in range(20)), tags=("",) * 20)
    many = replace(many, items=items)
    record = tuner(tiny, method="full", **options).fit(many, tmp_path / "out", runtime)
    found = record["held_out"]
    assert found["low"] > 0
    assert found["after"] > found["before"] + 0.1
    assert found["people"] == 30
    warm = vectors(tmp_path / "out", item_texts(many.items)[:18])
    cosines = warm @ warm.T
    same = np.arange(18) % 2 == np.arange(18)[:, None] % 2
    assert cosines[same].mean() > cosines[~same].mean() + 0.5
    assert json.loads((tmp_path / "out" / "tuning.json").read_text()) == record


@pytest.mark.parametrize("method", METHODS)
def test_what_any_method_made_is_opened_by_the_encoder(method, many, tiny, tmp_path, runtime):
    record = tuner(tiny, method=method, epochs=1, learning_rate=0.01, rank=2).fit(many, tmp_path / "out", runtime)
    texts = item_texts(many.items)
    before, after = vectors(tiny, texts), vectors(tmp_path / "out", texts)
    assert not np.allclose(before, after, atol=1e-4)
    assert 0 < record["trainable"] <= record["weights"]
    assert record["part_mb"] > 0
    assert len(record["epochs"]) == 1
    if METHODS[method].merges:
        theirs = SentenceTransformer(str(tmp_path / "out"), device="cpu").encode(list(texts), normalize_embeddings=True)
        np.testing.assert_allclose(after, theirs, atol=1e-5)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("method", ["full", "lora", "adalora", "adapter"])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(method, many, tiny, tmp_path):
    options = {"method": method, "epochs": 3, "accumulate": 2}
    whole = tuner(tiny, **options).fit(many, tmp_path / "whole", Runtime())
    resumed = Runtime(work=tmp_path / "work")

    def stop(row):
        if row["epoch"] == 3:
            raise Stopped

    with pytest.raises(Stopped):
        tuner(tiny, **options).fit(many, tmp_path / "out", resumed, told=stop)
    assert not (tmp_path / "out").exists()
    epochs = []
    record = tuner(tiny, **options).fit(many, tmp_path / "out", resumed, told=epochs.append)
    assert [row["epoch"] for row in epochs] == [3]
    assert record["held_out"] == whole["held_out"]
    numbers = [[(row["loss"], row["quality"]) for row in one["epochs"]] for one in (record, whole)]
    assert numbers[0] == numbers[1]
    texts = item_texts(many.items)
    assert np.array_equal(vectors(tmp_path / "out", texts), vectors(tmp_path / "whole", texts))


RUN = """
import os, signal, sys
from pathlib import Path
from conftest import checkerboard
from palate.runtime import Runtime
from palate.train.course import EncoderTunerConfig
from palate.train.encoder import EncoderTuner
from palate.train.judge import Judge
config = EncoderTunerConfig(model=sys.argv[1], epochs=2, held_out=60, pairs=96, batch=16, max_tokens=64, patience=5)
kill = lambda row: row["epoch"] == 2 and os.kill(os.getpid(), signal.SIGKILL)
EncoderTuner(config).fit(checkerboard(n_users=120), Path(sys.argv[2]), Runtime(work=Path(sys.argv[3])), kill)
"""


def test_a_killed_run_resumes_to_the_same_result(many, tiny, tmp_path):
    expected = tuner(tiny).fit(many, tmp_path / "whole", Runtime())
    words = [sys.executable, "-c", RUN, tiny, str(tmp_path / "out"), str(tmp_path / "work")]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(words, capture_output=True, env=found).returncode == -signal.SIGKILL
    epochs = []
    resumed = tuner(tiny).fit(many, tmp_path / "out", Runtime(work=tmp_path / "work"), told=epochs.append)
    assert [row["epoch"] for row in epochs] == [2]
    assert resumed["held_out"] == expected["held_out"]


def test_a_budget_ends_training(many, tiny, tmp_path, runtime):
    record = tuner(tiny, epochs=500, seconds=2.0).fit(many, tmp_path / "out", runtime)
    assert len(record["epochs"]) < 100


def test_the_people_who_judge_do_not_choose(many, tiny, tmp_path, runtime):
    one = tuner(tiny)
    _, judges, choosers = one._held_out(many, item_texts(many.items), runtime)
    assert not set(judges.queries.users) & set(choosers.queries.users)
    assert len(judges.queries) == len(choosers.queries) == 30


def test_no_texts_and_too_few_likes_are_refused(many, board, tiny, tmp_path, runtime):
    empty = ("",) * many.n_items
    bare = replace(many, items=replace(many.items, title=empty, description=empty, tags=empty))
    with pytest.raises(DataError, match="items: none has a title, description or tags"):
        tuner(tiny).fit(bare, tmp_path / "out", runtime)
    with pytest.raises(DataError, match=r"likes: only 20 people .* tuning needs 40"):
        tuner(tiny).fit(board, tmp_path / "out", runtime)


def test_a_folder_with_something_else_is_left_alone(many, tiny, tmp_path, runtime):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="exists and is not a tuned encoder"):
        tuner(tiny).fit(many, tmp_path, runtime)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_items_language_is_learned_before_where_asked_for(many, tiny, tmp_path, runtime, monkeypatch):
    """An item is six numbers of its own; with half of them it is known among all, though nobody's likes tell of it."""
    steps = iter(range(10_000))
    monkeypatch.setattr(
        Judge, "quality", lambda self, network: np.full(len(self.targets), next(steps))
    )  # the last is best
    rng = np.random.default_rng(0)
    titles = tuple(" ".join(map(str, rng.permutation(100)[:6])) for _ in range(20))
    many = replace(many, items=replace(many.items, title=titles, tags=("",) * 20))
    halves = [" ".join(title.split()[::2]) for title in titles]
    options = {
        "method": "full",
        "learning_rate": 3e-3,
        "epochs": 1,
        "pairs": 1,
        "batch": 8,
        "adapt": 40,
        "patience": 40,
    }

    def found(folder):
        return ((vectors(folder, halves) @ vectors(folder, titles).T).argmax(axis=1) == np.arange(20)).mean()

    tuner(tiny, **options).fit(many, tmp_path / "out", runtime)
    assert found(tmp_path / "out") > found(tiny) + 0.2


def test_an_adapted_run_that_goes_on_ends_as_one_that_never_stopped(many, tiny, tmp_path):
    options = {"method": "lora", "adapt": 1, "epochs": 2, "learning_rate": 0.01}

    def stop(row):
        raise Stopped

    whole = tuner(tiny, **options).fit(many, tmp_path / "whole", Runtime())
    work = Runtime(work=tmp_path / "work")
    with pytest.raises(Stopped):
        tuner(tiny, **options).fit(many, tmp_path / "out", work, told=stop)
    record = tuner(tiny, **options).fit(many, tmp_path / "out", work)
    assert record["held_out"] == whole["held_out"]
