"""Products of a few requests with many items, tile by tile."""

import numpy as np
import pytest

from palate.retrieve.tiles import TILE, Tiles


@pytest.mark.parametrize("n_items", [1, TILE, 2 * TILE + 7])
def test_every_item_is_multiplied_with_every_request(n_items):
    rng = np.random.default_rng(0)
    vectors, asked = (rng.standard_normal((n, 16), dtype=np.float32) for n in (n_items, 5))
    found = Tiles.of(vectors).product(asked)
    assert found.shape == (5, n_items)
    assert found == pytest.approx(asked.astype(np.float64) @ vectors.T.astype(np.float64), abs=1e-5)


def test_a_request_alone_has_the_same_bits_as_among_others():
    rng = np.random.default_rng(1)
    tiles = Tiles.of(rng.standard_normal((3 * TILE, 128), dtype=np.float32))
    asked = rng.standard_normal((17, 128), dtype=np.float32)
    together = tiles.product(asked)
    assert all(np.array_equal(tiles.product(asked[row : row + 1])[0], together[row]) for row in range(17))
    assert tiles.product(asked[:0]).shape == (0, 3 * TILE)
