"""Pieces of work that need nothing of each other, in threads beside each other, each as if it were alone."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

import torch

T = TypeVar("T")


class _Stopped(Exception):
    """Another piece failed, or the user ended it all."""


class Stop:
    """What a piece of work asks between its steps."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        self._asked.set()

    def checked(self, steps: Iterable[T]) -> Iterator[T]:
        """Go through `steps` for as long as nobody asked to stop."""
        for step in steps:
            if self._asked.is_set():
                raise _Stopped
            yield step


def at_once(n: int) -> int:
    """How many of `n` pieces run beside each other: no more than torch has threads, which they share."""
    return max(1, min(n, torch.get_num_threads()))


def beside(pieces: Sequence[Callable[[Stop], T]]) -> list[T]:
    """What they return, as many of them at once as `at_once` tells.

    The first error ends the others within a step and is raised, and so does a keyboard interrupt. One at once starts
    no thread.
    """
    stop, threads, n = Stop(), torch.get_num_threads(), at_once(len(pieces))
    if n == 1:
        return [piece(stop) for piece in pieces]
    try:
        with ThreadPoolExecutor(n, initializer=torch.set_num_threads, initargs=(threads // n,)) as pool:
            futures = [pool.submit(piece, stop) for piece in pieces]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                stop.ask()  # unless all of them are done
                pool.shutdown(wait=False, cancel_futures=True)
            for future in done:
                if error := future.exception():
                    raise error
            return [future.result() for future in futures]
    finally:
        torch.set_num_threads(threads)  # what threads that begin later have
