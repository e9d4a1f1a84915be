"""The training loop on a model of one number."""

import time

import pytest
import torch
from torch import nn

from palate.runtime import Runtime
from palate.train.loop import Epochs, LoopConfig, train


class Number(nn.Module):
    def __init__(self):
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))


def run(qualities=None, **options):
    """Move a number towards 3; the quality of an epoch is given, or how near it is."""
    model, given = Number(), iter(qualities or [])
    config = LoopConfig(**{"learning_rate": 0.5, "weight_decay": 0.0, **options})
    found = train(
        model,
        lambda batch: ((model.value - batch) ** 2).sum(),
        Epochs(lambda rng: iter([3.0] * 10), 10),
        lambda: next(given) if qualities else -abs(model.value.item() - 3),
        config,
        Runtime(),
        "number",
    )
    return model.value.item(), found


def test_the_minimum_is_reached():
    assert run(epochs=20)[0] == pytest.approx(3, abs=0.05)


def test_training_stops_when_patience_ends_and_the_best_epoch_is_kept():
    value, found = run([0.1, 0.3, 0.2, 0.2, 0.2, 0.9], epochs=6, patience=3)
    assert found == [0.1, 0.3, 0.2, 0.2, 0.2]
    assert value == pytest.approx(run([0.1, 0.3, 0, 0, 0, 0], epochs=6, patience=6)[0])


def test_an_epoch_as_good_as_the_best_takes_its_place():
    early, late = run([1.0, 0.0, 0.0], epochs=3)[0], run([1.0, 1.0, 1.0], epochs=3)[0]
    assert early != late


def test_time_ends_training_and_the_step_is_small_by_then():
    paces = []

    def slow(rng):
        for _ in range(1000):
            time.sleep(0.002)
            yield 3.0

    def loss_of(model):
        def loss(batch):
            paces.append(time.perf_counter())
            return ((model.value - batch) ** 2).sum()

        return loss

    model = Number()
    options = LoopConfig(epochs=50, learning_rate=0.1, weight_decay=0.0, seconds=0.3)
    found = train(model, loss_of(model), Epochs(slow, 1000), lambda: 0.5, options, Runtime(), "slow")
    assert found == [0.5]
    assert 0.2 < paces[-1] - paces[0] < 2
    assert len(paces) < 1000
    assert model.value.item() == pytest.approx(3, abs=1)  # how far it gets hangs on the machine


def test_without_time_one_step_is_made_and_moves_nothing():
    value, found = run(seconds=0.0)
    assert value == 0
    assert len(found) == 1


def test_random_numbers_hang_on_the_epoch_alone():
    seen = []

    def drawn(rng):
        seen.append((rng.random(), torch.rand(1).item()))
        return iter(())

    train(Number(), lambda batch: batch, Epochs(drawn, 0), lambda: 0.0, LoopConfig(epochs=2), Runtime(), "x")
    torch.rand(3)
    train(Number(), lambda batch: batch, Epochs(drawn, 0), lambda: 0.0, LoopConfig(epochs=2), Runtime(), "x")
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


def test_curves_are_written_where_there_is_a_work_folder(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    runtime = Runtime(work=tmp_path)
    train(Number(), lambda batch: batch, Epochs(lambda rng: iter(()), 0), lambda: 0.0, LoopConfig(), runtime, "x")
    assert list((tmp_path / "x").glob("events*"))
    assert (tmp_path / "x.safetensors").is_file()


def test_gradients_of_several_batches_make_one_step():
    def after(accumulate, batches):
        model, steps, told = Number(), [], []
        train(
            model,
            lambda batch: ((model.value - batch) ** 2).sum(),
            Epochs(lambda rng: iter(batches), len(batches)),
            lambda: 0.5,
            LoopConfig(epochs=1, learning_rate=0.5, weight_decay=0.0, warm_up=0.0),
            Runtime(),
            "sum",
            accumulate=accumulate,
            after_step=lambda step: steps.append((step, model.value.grad.item())),
            after_epoch=lambda *what: told.append(what) or {"more": 1.0},
        )
        return steps, told

    steps, told = after(2, [1.0, 3.0, 5.0])
    assert steps[0] == (0, -4.0)  # the mean of -2 and -6
    assert [step for step, _ in steps] == [0, 1]
    assert told[0][0] == 0
    assert told[0][2] == 0.5
    assert [step for step, _ in after(1, [1.0, 3.0, 5.0])[0]] == [0, 1, 2]
