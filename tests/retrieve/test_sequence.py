"""The fitted sequence model with a network whose state is the last event's vector."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from palate.retrieve.backbone import backbone
from palate.retrieve.sequence import Sequence, SequenceConfig
from retrieve.fakes import asking


@dataclass(frozen=True, eq=False)
class TwoWords:
    """ "left" and "right" are the two axes."""

    def fit(self, texts, runtime):
        return self

    def encode(self, texts, *, role):
        return np.array([[text == "left", text == "right"] for text in texts], np.float32)


ITEMS = np.array([[1, -1], [2, -2], [-1, 1], [-3, 3]], np.float32)  # what a norm over two values leaves as it is


@pytest.fixture
def model():
    """Items 0 and 1 point left, 2 and 3 right; item 3 is cold. Nothing but the last event moves the state."""
    config = SequenceConfig(dim=2, layers=1, heads=1, length=3, temperature=0.0)
    network = backbone("sasrec", dim=2, layers=1, heads=1, length=3)
    weights = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    weights["norm.weight"] = torch.ones(2)
    return Sequence(
        config,
        encoder=TwoWords(),
        items=ITEMS,
        cold=np.array([False, False, False, True]),
        stretch=0.5,
        shift=0.25,
        network={name: value.numpy() for name, value in weights.items()},
        mean=np.zeros(2, np.float32),
        axes=np.eye(2, dtype=np.float32),
        content=np.array([[1, -1], [-1, 1]], np.float32),
        silence=np.zeros(2, np.float32),
    )


def test_scores_are_dot_products_with_the_state_and_cold_ones_are_stretched_and_moved(model):
    # state (1, -1): 2, 4, -2 and .5 * -6 + .25
    np.testing.assert_allclose(model.scores(asking([0])), [[2, 4, -2, -2.75]], atol=1e-4)


def test_cosines_are_divided_by_the_temperature(model):
    cosine = replace(model, config=SequenceConfig(dim=2, layers=1, heads=1, length=3, temperature=0.1), stretch=1.0)
    np.testing.assert_allclose(cosine.scores(asking([0])), [[10, 10, -10, -9.75]], atol=1e-3)


def test_the_newest_event_decides(model):
    assert model.scores(asking([0, 2, 1, 2]))[0].argmax() == 3
    assert model.scores(asking([2, 2, 2, 1]))[0].argmax() == 1


def test_a_wish_is_an_event_after_the_last(model):
    wished = model.scores(asking([0, 1, 0], wishes=["right"]))
    np.testing.assert_allclose(wished, model.scores(asking([2])), atol=1e-4)
    np.testing.assert_allclose(model.scores(asking([], wishes=["right"])), wished, atol=1e-4)


def test_nothing_known_scores_nothing(model):
    assert not model.scores(asking([])).any()
    assert model.scores(asking()).shape == (0, 4)


@pytest.mark.parametrize("kind", ["sasrec", "gru"])
def test_events_beyond_the_length_and_later_padding_change_nothing(model, kind):
    torch.manual_seed(0)
    network = backbone(kind, dim=2, layers=1, heads=1, length=3)
    weights = {name: value.numpy().copy() for name, value in network.state_dict().items()}
    config = SequenceConfig(backbone=kind, dim=2, layers=1, heads=1, length=3, temperature=0.0)
    one = replace(model, config=config, network=weights)
    together = one.scores(asking([3, 1, 0, 2], [1, 0, 2], [0]))
    np.testing.assert_allclose(together[0], together[1], atol=1e-5)
    np.testing.assert_allclose(together[2], one.scores(asking([0]))[0], atol=1e-5)


@pytest.mark.parametrize("kind", ["sasrec", "gru"])
def test_a_state_never_looks_ahead(kind):
    torch.manual_seed(0)
    network = backbone(kind, dim=4, layers=2, heads=2, length=5).eval()
    events = torch.randn(1, 5, 4)
    changed = events.clone()
    changed[:, 3:] = 7.0
    torch.testing.assert_close(network(events)[:, :3], network(changed)[:, :3])
    assert not torch.allclose(network(events)[:, 3:], network(changed)[:, 3:])
