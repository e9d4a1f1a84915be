"""Texts to what several encoders say of them, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np

from palate.contracts import Encoder
from palate.runtime import Runtime
from palate.types import Floats
from palate.vectors import unit_rows


@dataclass(frozen=True, eq=False)
class JoinedEncoder:
    """A language model knows that a sneaker is a shoe, words which brand and model it is: together they tell both.

    The unit rows of all encoders beside each other, made one unit row; what one of them cannot read is zero there.

    encoders: at least one
    """

    encoders: tuple[Encoder, ...] = field(kw_only=True)

    def fit(self, texts: Sequence[str], runtime: Runtime) -> Self:
        return replace(self, encoders=tuple(one.fit(texts, runtime) for one in self.encoders))

    def encode(self, texts: Sequence[str], *, role: Literal["query", "item"]) -> Floats:
        return unit_rows(np.hstack([one.encode(texts, role=role) for one in self.encoders]))
