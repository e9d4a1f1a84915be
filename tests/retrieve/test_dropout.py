"""Dropout from a stream of its own is torch's, number by number."""

import pytest
import torch
from torch.nn import functional

from palate.retrieve.dropout import Dropout


@pytest.fixture
def values():
    return torch.randn(3, 4, 8, 16, generator=torch.Generator().manual_seed(0))


def own(share=0.3, seed=5):
    return Dropout(share, torch.Generator().manual_seed(seed))


def test_it_drops_what_torch_drops_and_leaves_the_shared_stream_alone(values):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        wanted = functional.dropout(values, 0.3)
        before = torch.get_rng_state()
        found = own()(values)
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(found, wanted)
    assert 0.6 < (found != 0).float().mean() < 0.8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_what_torch_makes_of_the_same_numbers(values, dtype):
    parts = [part.to(dtype) for part in (values, values.flip(0), values.flip(1))]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        wanted = functional.scaled_dot_product_attention(*parts, dropout_p=0.3, is_causal=True)
    found = own().attended(*parts)
    assert found.dtype == dtype
    torch.testing.assert_close(found, wanted)


def test_nothing_is_dropped_when_asked(values):
    asked = own().eval()
    assert asked(values) is values
    plain = functional.scaled_dot_product_attention(values, values, values, is_causal=True)
    assert torch.equal(asked.attended(values, values, values), plain)
    torch.testing.assert_close(own(share=0.0).attended(values, values, values), plain)
