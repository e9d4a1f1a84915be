"""A decoder tuned on lists with a known rule: it learns, keeps no letter dear, goes on after a kill, opens again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from conftest import checkerboard
from generate.tiny import tiny_model
from palate import build
from palate.config import narrowed
from palate.errors import ConfigError, DataError, LeakError, StoreError
from palate.generate.local import LocalGenerator, LocalGeneratorConfig
from palate.model import fit, load
from palate.rank.llm import LLMRanker, LLMRankerConfig
from palate.retrieve.neighbours import ItemKNN
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.text.prompt import PromptConfig
from palate.train.llm import LLMTrainer, LLMTrainerConfig, tune
from palate.train.llm_folder import PART, RANKER, opened, write
from palate.train.questions import Lists, lesson
from palate.tuning.methods import METHODS
from palate.types import Slate

SHORT = {"last": 0, "item_chars": 8, "item": "{title}", "dtype": "fp32", "depth": 4, "group": 4, "candidates": 6}
TOLD = {**SHORT, "epochs": 2, "batch": 8, "accumulate": 1, "lists": 40, "held_out": 40, "patience": 9}
DECODERS = [name for name, method in METHODS.items() if "decoder" in method.kinds]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(tiny_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def many():
    """Everybody likes what is called x next, wherever it stands; the others are called o."""
    data = checkerboard(n_users=120)
    return replace(data, items=replace(data.items, title=("x",) * 5 + ("o",) * 15))


@pytest.fixture(scope="module")
def shown(many):
    """Lists of six in random order, one of them an x, which is the target."""
    rng = np.random.default_rng(0)
    items = np.array([rng.permutation([rng.integers(5), *(5 + rng.permutation(15)[:5])]) for _ in range(120)], np.int32)
    items[(items[:, 4:] < 5).any(axis=1)] = np.roll(items[(items[:, 4:] < 5).any(axis=1)], 3, axis=1)
    slate = Slate(items, np.tile(-np.arange(6, dtype=np.float32), (120, 1)))
    return Lists(many.queries(np.arange(120)), slate, items[items < 5])


def trainer(model, **options) -> LLMTrainer:
    return LLMTrainer(LLMTrainerConfig(model=model, **{**TOLD, **options}))


def taught(one: LLMTrainer, many, shown, runtime, folder=None):
    """The ranker, if it helped, and the record; the part that learned is saved in a folder."""
    ranker, tuned, record = one.learned(many, shown, runtime)
    if folder:
        tuned.save(folder)
    return (ranker if record["used"] else None), record


@pytest.mark.parametrize("how", ["pointwise", "listwise"])
def test_a_rule_is_learned_that_the_untuned_model_does_not_know(how, many, shown, tiny, tmp_path, runtime):
    options = {"how": how, "method": "full", "learning_rate": 2e-3, "epochs": 6, "lists": 80}
    options |= {"epochs": 14, "learning_rate": 4e-3} if how == "listwise" else {}
    ranker, record = taught(trainer(tiny, **options), many, shown, runtime)
    assert record["alone"]["low"] > 0
    assert record["alone"]["after"] > 0.95
    assert record["judged"]["low"] > 0
    best = ranker.rank(shown.queries, shown.slate).items[:, 0]
    assert (best == shown.targets).mean() > 0.9
    if how == "listwise":
        bias = record["position_bias"]
        assert bias["after"]["kept"] > max(bias["before"]["kept"], 0.9)


@pytest.mark.parametrize("method", DECODERS)
def test_what_any_method_made_opens_with_the_same_scores(method, many, shown, tiny, tmp_path, runtime):
    options = {"method": method, "learning_rate": 0.02 if method != "full" else 1e-3, "rank": 2, "epochs": 1}
    ranker, record = taught(trainer(tiny, **options), many, shown, runtime, tmp_path / "part")
    assert 0 < record["trainable"] <= record["weights"]
    made = opened_part(tiny, tmp_path / "part", many, runtime)
    untuned = replace(made, generator=replace(made.generator, config=replace(made.generator.config, adapter="")))
    untuned = untuned.fit(many, runtime)
    few, items = shown.queries.take(slice(0, 3)), shown.slate.items[:3]
    told = made.scores(few, items)
    assert not np.allclose(told, untuned.scores(few, items), atol=1e-3)
    unshared = replace(made.generator, config=replace(made.generator.config, share=False))
    np.testing.assert_allclose(replace(made, generator=unshared).scores(few, items), told, atol=1e-4)
    if ranker:
        np.testing.assert_array_equal(ranker.scores(few, items), told)


@pytest.mark.parametrize("method", [method for method in DECODERS if method != "full"])
def test_what_learns_beside_a_bf16_network_is_fp32_and_opens_with_the_same_scores(
    method, many, shown, tiny, tmp_path, runtime
):
    options = {"method": method, "learning_rate": 0.02, "rank": 2, "epochs": 1, "dtype": "bf16"}
    ranker, tuned, _ = trainer(tiny, **options).learned(many, shown, runtime)
    learned = [value for value in tuned.parameters() if value.requires_grad]
    assert {value.dtype for value in learned} == {torch.float32}
    assert torch.bfloat16 in {value.dtype for value in tuned.parameters()}
    tuned.save(tmp_path / "part")
    made = opened_part(tiny, tmp_path / "part", many, runtime, "bf16")
    few, items = shown.queries.take(slice(0, 3)), shown.slate.items[:3]
    np.testing.assert_array_equal(made.scores(few, items), ranker.scores(few, items))


def test_full_is_refused_where_the_network_is_not_fp32(many, shown, tiny, runtime):
    with pytest.raises(ConfigError, match=r"method full: .* bf16 would round small steps away; set dtype to fp32"):
        trainer(tiny, method="full", dtype="bf16").learned(many, shown, runtime)


def opened_part(model, part, many, runtime, dtype="fp32"):
    """An untuned ranker over a model with a tuned part."""
    config = LLMTrainerConfig(model=model, **SHORT)
    generator = LocalGenerator(LocalGeneratorConfig(model=model, adapter=str(part), dtype=dtype))
    return LLMRanker(narrowed(LLMRankerConfig, config), generator, narrowed(PromptConfig, config)).fit(many, runtime)


def test_head_is_refused_by_name(tiny, tmp_path):
    with pytest.raises(ConfigError, match="method: 'head' is not one of full, lora"):
        trainer(tiny, method="head")


def test_shown_orders_are_drawn_anew_and_the_right_letter_is_the_targets(many, shown, tiny, runtime):
    config = LLMTrainerConfig(**{**SHORT, "how": "listwise"})
    asker = LLMRanker(
        narrowed(LLMRankerConfig, config),
        LocalGenerator(LocalGeneratorConfig(model=tiny)),
        narrowed(PromptConfig, config),
    )
    asked = lesson(asker.fit(many, runtime), shown, 1, 7)
    one, two = ([question.right for question in asked.asked(np.random.default_rng(seed))] for seed in (0, 1))
    assert one != two
    questions = [question for batch in asked.batches(np.random.default_rng(0)) for question in batch]
    assert len(questions) == asked.n_questions == len(shown)
    assert len(list(asked.batches(np.random.default_rng(0)))) == asked.n_batches
    assert all(f"{'ABCD'[question.right]}. x" in question.prompt for question in questions)
    letters = np.bincount([question.right for question in questions], minlength=4)
    assert letters.min() > 15  # of 120


def test_the_lists_that_judge_neither_teach_nor_choose(shown):
    parts = shown.parted(4, 50, 40, np.random.default_rng(0))
    people = [set(part.queries.users.tolist()) for part in parts]
    assert [len(part) for part in parts] == [50, 20, 20]
    assert not (people[0] & people[1])
    assert not (people[0] & people[2])
    assert not (people[1] & people[2])


def test_what_is_worth_hearing_is_learned(shown):
    right = (shown.slate.items[:, :4] == shown.targets[:, None]).astype(np.float32)
    noise = np.random.default_rng(0).normal(size=right.shape).astype(np.float32)
    held = shown.holds(4)
    lists = shown.take(np.flatnonzero(held))
    heard, trust = lists.worth(right[held], noise[held])
    assert heard > 0.9
    heard, trust = lists.worth(noise[held], right[held])
    assert trust > 0.9


def test_too_few_lists_are_told(many, shown, tiny, tmp_path, runtime):
    few = shown.take(np.arange(60))
    ranker, record = trainer(tiny).taught(many, few.queries, few.slate, few.targets, runtime)
    assert ranker is None
    assert not record["used"]
    assert record["reason"].startswith(
        f"likes: of 60 people whose last like could be held out, {few.holds(4).sum()} have"
    )
    with pytest.raises(DataError, match=r"likes: of \d+ people .* tuning needs 80"):
        tune(trainer(tiny), checkerboard(), Popular(), tmp_path / "out", runtime)
    assert not (tmp_path / "out").exists()


def test_profiles_may_not_name_what_is_held_out(many, tiny, tmp_path, runtime):
    data = checkerboard(n_users=200)
    told = dict.fromkeys(data.users.ids.ids, "Likes wedding cakes and true love, volume 3.")
    with pytest.raises(LeakError, match="names an item they are about to be asked for"):
        tune(replace(trainer(tiny), profiles=told), data, Popular(), tmp_path / "out", runtime)


def test_a_folder_with_something_else_is_left_alone(many, tiny, tmp_path, runtime):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="exists and is not a tuned language model"):
        tune(trainer(tiny), many, Popular(), tmp_path, runtime)
    with pytest.raises(StoreError, match="no tuned language model here; make one with `palate tune llm"):
        opened(tmp_path, build.kinds())


class Stopped(Exception):
    pass


@pytest.mark.parametrize("method", ["lora", "prefix", "adapter"])
def test_a_run_that_goes_on_ends_as_one_that_never_stopped(method, many, shown, tiny, tmp_path):
    options = {"method": method, "how": "listwise", "epochs": 3, "accumulate": 2, "learning_rate": 0.01}

    def stop(row):
        if row["epoch"] == 3:
            raise Stopped

    _, whole = taught(trainer(tiny, **options), many, shown, Runtime(), tmp_path / "whole")
    resumed, part = Runtime(work=tmp_path / "work"), tmp_path / "part"
    with pytest.raises(Stopped):
        taught(replace(trainer(tiny, **options), told=stop), many, shown, resumed)
    epochs = []
    _, record = taught(replace(trainer(tiny, **options), told=epochs.append), many, shown, resumed, part)
    assert [row["epoch"] for row in epochs] == [3]
    for name in ("judged", "alone", "heard", "trust", "position_bias"):
        assert record[name] == whole[name]
    assert (part / "adapter_model.safetensors").read_bytes() == (
        tmp_path / "whole" / "adapter_model.safetensors"
    ).read_bytes()


RUN = """
import os, signal, sys
from pathlib import Path
from train.test_llm import boards, trainer
from palate.retrieve.neighbours import ItemKNN
from palate.runtime import Runtime
from palate.text.prompt import PromptConfig
from palate.train.llm import tune
from dataclasses import replace
kill = lambda row: row["epoch"] == 2 and os.kill(os.getpid(), signal.SIGKILL)
one = replace(trainer(sys.argv[1], lists=16), told=kill)
tune(one, boards(), ItemKNN(), Path(sys.argv[2]), Runtime(work=Path(sys.argv[3])))
"""


def boards():
    return checkerboard(n_users=400)


def test_a_killed_run_resumes_to_the_same_result(tiny, tmp_path):
    expected = tune(trainer(tiny, lists=16), boards(), ItemKNN(), tmp_path / "whole", Runtime())
    words = [sys.executable, "-c", RUN, tiny, str(tmp_path / "out"), str(tmp_path / "work")]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run(words, capture_output=True, env=found).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    epochs = []
    one = replace(trainer(tiny, lists=16), told=epochs.append)
    record = tune(one, boards(), ItemKNN(), tmp_path / "out", Runtime(work=tmp_path / "work"))
    assert [row["epoch"] for row in epochs] == [2]
    assert (record["judged"], record["alone"]) == (expected["judged"], expected["alone"])
    assert json.loads((tmp_path / "out" / "tuning.json").read_text())["judged"] == record["judged"]


def test_a_budget_ends_training(many, shown, tiny, tmp_path, runtime):
    _, record = taught(trainer(tiny, epochs=500, seconds=4.0), many, shown, runtime)
    assert len(record["epochs"]) < 60


@pytest.fixture(scope="module")
def kept(many, shown, tiny, tmp_path_factory):
    """A folder with a ranker that helped, as `tune` writes it."""
    folder = tmp_path_factory.mktemp("kept")
    options = {"method": "full", "learning_rate": 2e-3, "epochs": 4, "lists": 80}
    ranker, record = taught(trainer(tiny, **options), many, shown, Runtime(), folder / PART)
    write(folder, ranker, {"u1": "Likes: x"}, record)
    return folder


def test_a_model_uses_the_folder_and_is_saved_with_it(kept, many, shown, tmp_path):
    model = fit(many, "popular", llm=kept)
    ranker = model.recommender.rankers[-1]
    assert isinstance(ranker, LLMRanker)
    assert "Likes: x" in ranker.people(many.queries(np.array([1])))[0]
    best = ranker.rank(shown.queries, shown.slate)
    assert (best.items[:, 0] == shown.targets).mean() > 0.8
    model.save(tmp_path / "model")
    again = load(tmp_path / "model").recommender.rankers[-1].rank(shown.queries, shown.slate)
    np.testing.assert_array_equal(again.items, best.items)
    np.testing.assert_array_equal(again.scores, best.scores)


def test_without_a_history_or_with_a_wish_the_order_stays(kept, many, shown):
    ranker = opened(kept, build.kinds()).fit(many, Runtime())
    strangers = many.queries(np.full(120, -1))
    assert (ranker.rank(strangers, shown.slate).items == shown.slate.items).all()
    wishing = replace(shown.queries, wishes=("cakes",) * 120)
    assert (ranker.rank(wishing, shown.slate).scores == shown.slate.scores).all()


def test_a_changed_or_missing_ranker_is_refused(kept, many, shown, tmp_path):
    shutil.copytree(kept, tmp_path / "copy")
    model = fit(many, "popular", llm=tmp_path / "copy")
    model.save(tmp_path / "model")
    best = model.recommender.rankers[-1].rank(shown.queries, shown.slate).items
    arrays = next((tmp_path / "copy" / RANKER).glob("*.safetensors"))
    arrays.write_bytes(arrays.read_bytes()[:-1])
    with pytest.raises(StoreError, match="damaged"):
        fit(many, "popular", llm=tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / RANKER)
    with pytest.raises(StoreError, match="got no better by this model"):
        opened(tmp_path / "copy", build.kinds())
    shutil.rmtree(tmp_path / "copy")
    again = load(tmp_path / "model").recommender.rankers[-1]  # which holds what was tuned
    np.testing.assert_array_equal(again.rank(shown.queries, shown.slate).items, best)
