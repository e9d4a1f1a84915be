"""How far a language model follows letters instead of what stands beside them."""

from dataclasses import dataclass

import numpy as np

from palate.rank.llm import LLMRanker
from palate.types import NO_ITEM, Floats, Queries, Slate


@dataclass(frozen=True, slots=True, eq=False)
class PositionBias:
    """Each request's list shown in a drawn order and reversed.

    A model that follows content alone chooses the same item both times, so that `kept` is 1 and `mean_letter` is
    `unbiased`; one that follows letters alone has `kept` 0.

    shares: (n,) how often each letter is the likeliest; 1 / n each without bias.
    mean_letter: the mean place of the chosen letter, 0 is A; unbiased: (n - 1) / 2.
    kept: the share of requests where the same item is chosen in both orders.
    averaged_letter: the mean place, in the drawn order, of the item that both orders together choose.
    """

    requests: int
    shares: Floats
    mean_letter: float
    unbiased: float
    kept: float
    averaged_letter: float

    def __str__(self) -> str:
        return (
            f"over {self.requests} requests the chosen letter stands at {self.mean_letter:.2f} on average, without "
            f"bias at {self.unbiased:.2f}; reversing the list keeps the chosen item in {self.kept:.0%}"
        )


def position_bias(ranker: LLMRanker, queries: Queries, slate: Slate) -> PositionBias:
    """The bias over the requests with a full list: the first `group` items of each."""
    n = min(ranker.config.group, slate.k)
    full = np.flatnonzero((slate.items[:, :n] != NO_ITEM).all(axis=1)) if n else np.zeros(0, np.int64)
    people = ranker.people(queries.take(full))
    shown = [ranker.order(who, slate.items[row, :n]) for who, row in zip(people, full, strict=True)]
    told = ranker.letters([*people, *people], [*shown, *(order[::-1] for order in shown)])
    first, second = (np.array(part).reshape(len(full), n) for part in (told[: len(full)], told[len(full) :]))
    letters = np.concatenate([first.argmax(axis=1), second.argmax(axis=1)]) if len(full) else np.zeros(0, np.int64)
    ahead, behind = letters[: len(full)], n - 1 - letters[len(full) :]
    both = (first + second[:, ::-1]).argmax(axis=1) if len(full) else letters
    return PositionBias(
        requests=len(full),
        shares=(np.bincount(letters, minlength=n) / max(len(letters), 1)).astype(np.float32),
        mean_letter=float(letters.mean()) if len(full) else float("nan"),
        unbiased=(n - 1) / 2,
        kept=float((ahead == behind).mean()) if len(full) else float("nan"),
        averaged_letter=float(both.mean()) if len(full) else float("nan"),
    )
