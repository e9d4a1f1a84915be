"""A queue that many fill to batches for the one thread that empties it."""

from collections.abc import Iterator
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")


def batches(queue: "Queue[T | None]", most: int) -> Iterator[list[T]]:
    """What waits in a queue, at most so many together, waiting for the first alone; None in the queue ends it."""
    while (first := queue.get()) is not None:
        batch, last = [first], False
        while len(batch) < most and not last:
            try:
                one = queue.get_nowait()
            except Empty:
                break
            last = one is None
            batch += [one] if one is not None else []
        yield batch
        if last:
            return
