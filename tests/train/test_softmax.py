"""The losses agree with torch's own cross-entropy."""

import math

import pytest
import torch
from torch.nn import functional

from palate.train import softmax
from palate.train.softmax import full_softmax, in_batch_softmax, lead, sampled_softmax
from palate.train.table import unit_rows


@pytest.fixture
def problem():
    """States, items and targets: 50 rows, 30 items, width 8."""
    draw = torch.Generator().manual_seed(0)
    states = torch.randn(50, 8, generator=draw).requires_grad_()
    items = torch.randn(30, 8, generator=draw).requires_grad_()
    return states, items, torch.randint(0, 30, (50,), generator=draw)


def gradients(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


@pytest.mark.parametrize("chunk", [7, 50, 256])
def test_full_softmax_is_cross_entropy_in_low_precision(problem, chunk, monkeypatch):
    monkeypatch.setattr(softmax, "CHUNK", chunk)
    states, items, targets = problem
    ours, theirs = full_softmax(states, items, targets), functional.cross_entropy(states @ items.T, targets)
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-2)
    for mine, right in zip(gradients(ours, states, items), gradients(theirs, states, items), strict=True):
        torch.testing.assert_close(mine, right, atol=2e-3, rtol=0)


def test_the_gradient_of_a_multiple_is_the_multiple_of_the_gradient(problem):
    states, items, targets = problem
    once = gradients(full_softmax(states, items, targets), states)[0]
    thrice = gradients(3 * full_softmax(states, items, targets), states)[0]
    torch.testing.assert_close(thrice, 3 * once)


def test_sampled_softmax_matches_hand_arithmetic():
    # logits 2 (true), 1 and 0; of three draws each of the others is expected 3/4 times; drawing the target is void
    states, items = torch.tensor([[1.0]]), torch.tensor([[2.0], [1.0], [0.0]])
    log_chance = torch.tensor([0.5, 0.25, 0.25]).log()
    loss = sampled_softmax(states, items, torch.tensor([0]), torch.tensor([1, 2, 0]), log_chance)
    true, others = math.exp(2), (math.exp(1) + math.exp(0)) / 0.75
    assert loss.item() == pytest.approx(-math.log(true / (true + others)), abs=1e-5)


def test_sampled_softmax_and_its_gradient_are_those_of_a_cross_entropy_over_the_sample(problem, monkeypatch):
    monkeypatch.setattr(softmax, "CHUNK", 7)
    states, items, targets = problem
    drawn = torch.randint(len(items), (50,), generator=torch.Generator().manual_seed(3))
    log_chance = torch.linspace(-4, -2, len(items))
    others = states @ items[drawn].T - log_chance[drawn] - math.log(50)
    logits = torch.cat([(states * items[targets]).sum(1, keepdim=True), others], 1)
    clash = torch.cat([torch.zeros(len(targets), 1, dtype=torch.bool), drawn == targets[:, None]], 1)
    theirs = functional.cross_entropy(logits.masked_fill(clash, -torch.inf), torch.zeros_like(targets))
    ours = 3 * sampled_softmax(states, items, targets, drawn, log_chance)
    torch.testing.assert_close(ours, 3 * theirs)
    for mine, right in zip(gradients(ours, states, items), gradients(3 * theirs, states, items), strict=True):
        torch.testing.assert_close(mine, right)


def test_a_share_of_the_lead_is_label_smoothing(problem):
    states, items, targets = problem
    ours = functional.cross_entropy(states @ items.T, targets) + 0.3 * lead(states, items, targets, items.mean(0))
    theirs = functional.cross_entropy(states @ items.T, targets, label_smoothing=0.3)
    torch.testing.assert_close(ours, theirs)
    for mine, right in zip(gradients(ours, states, items), gradients(theirs, states, items), strict=True):
        torch.testing.assert_close(mine, right)


def test_a_large_sample_gives_the_loss_of_the_full_softmax(problem):
    states, items, targets = problem
    chance = torch.linspace(1, 3, 30) / torch.linspace(1, 3, 30).sum()
    drawn = torch.multinomial(chance, 100_000, replacement=True, generator=torch.Generator().manual_seed(1))
    full = functional.cross_entropy(states @ items.T, targets)
    assert sampled_softmax(states, items, targets, drawn, chance.log()).item() == pytest.approx(full.item(), abs=0.02)


def test_unit_rows_and_their_gradient_are_torchs_own():
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).requires_grad_()
    weight = torch.arange(24.0).view(6, 4)
    ours, theirs = unit_rows(rows), functional.normalize(rows)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(gradients((ours * weight).sum(), rows), gradients((theirs * weight).sum(), rows))


def test_in_batch_softmax_matches_hand_arithmetic():
    """Own scores 2 and 1, the other row's item 0; the first row's hard negative scores 1, the second has none."""
    states, items = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.eye(2)
    hard, absent = torch.tensor([[[0.5, 0.0]], [[9.0, 9.0]]]), torch.tensor([[False], [True]])
    expected = torch.tensor([math.log(0.5), math.log(0.25)])  # the second item stands for 4, the first for 2
    none = torch.zeros(2, 2, dtype=torch.bool)
    rows = [math.log((math.e**2 + 4 + math.e) / math.e**2), math.log((math.e + 2) / math.e)]
    found = in_batch_softmax(states, items, hard, expected, none, absent)
    assert found.item() == pytest.approx(sum(rows) / 2, abs=1e-6)
    liked = torch.tensor([[True, True], [False, True]])  # the first row's user likes the second item too
    rows[0] = math.log((math.e**2 + math.e) / math.e**2)
    found = in_batch_softmax(states, items, hard, expected, liked, absent)
    assert found.item() == pytest.approx(sum(rows) / 2, abs=1e-6)
