"""Item vectors cut into tiles, to products with few requests."""

from dataclasses import dataclass

import numpy as np

from palate.types import Floats

TILE = 480  # items: with 16 requests of 128 numbers still what BLAS multiplies without copying it first
MANY = 4096  # items, from which on it tells


@dataclass(frozen=True, eq=False)
class Tiles:
    """Item vectors (n_items, dim), so that a product with a few requests costs little more than reading them once.

    BLAS copies a large matrix into an order of its own before it multiplies, which with few requests takes longer than
    the product; a small one it multiplies as it is.

    tiles: (T, dim, TILE), zeros behind the last item
    """

    tiles: Floats
    n_items: int

    @staticmethod
    def of(vectors: Floats) -> "Tiles":
        """Those of a catalogue (n_items, dim)."""
        n_items, dim = vectors.shape
        n_tiles = -(-n_items // TILE)
        tiles = np.zeros((n_tiles, dim, TILE), np.float32)
        for place in range(n_tiles):
            own = vectors[place * TILE : (place + 1) * TILE]
            tiles[place, :, : len(own)] = own.T
        return Tiles(tiles, n_items)

    def product(self, asked: Floats) -> Floats:
        """(B, n_items) each request (B, dim) times each item, a single request with the same bits as among others."""
        if len(asked) == 1:  # BLAS has another way for a vector, which sums in another order
            return self.product(np.repeat(asked, 2, axis=0))[:1]
        found = np.empty((len(asked), len(self.tiles), TILE), np.float32)
        np.matmul(asked, self.tiles, out=found.transpose(1, 0, 2))
        return found.reshape(len(asked), len(self.tiles) * TILE)[:, : self.n_items]
