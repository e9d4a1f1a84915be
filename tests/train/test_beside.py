"""Pieces beside each other: what they return, how many threads they have, and how they end."""

import itertools
import threading

import pytest
import torch

from palate.train.beside import at_once, beside

WAIT = 60.0  # seconds, where only a broken program waits


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_pieces(four_threads):
    second_ran = threading.Event()

    def first(stop):
        assert second_ran.wait(WAIT)  # which it only does if they run beside each other
        return 1

    def second(stop):
        second_ran.set()
        return 2

    assert beside([first, second]) == [1, 2]


def test_pieces_share_the_threads_and_leave_them_as_they_were(four_threads):
    def piece(stop):
        return threading.current_thread().name, torch.get_num_threads()

    found = beside([piece, piece])
    assert [threads for _, threads in found] == [2, 2]
    assert threading.current_thread().name not in [name for name, _ in found]
    assert torch.get_num_threads() == 4
    assert beside([piece]) == [(threading.current_thread().name, 4)]
    assert [at_once(n) for n in (0, 1, 3, 9)] == [1, 1, 3, 4]


def test_an_error_ends_the_others_within_a_step_and_is_raised(four_threads):
    begun, steps = threading.Event(), []

    def endless(stop):
        for step in stop.checked(itertools.count()):
            begun.set()
            steps.append(step)

    def fails(stop):
        assert begun.wait(WAIT)
        raise ValueError("no")

    waiting = []
    torch.set_num_threads(2)  # so that the third waits
    with pytest.raises(ValueError, match="no"):
        beside([endless, fails, waiting.append])
    assert steps == list(range(len(steps)))
    assert len(waiting) <= 1  # begun after the failed piece made room, or never
    assert torch.get_num_threads() == 2


def test_a_keyboard_interrupt_ends_them_all(four_threads, monkeypatch):
    ended = []

    def endless(stop):
        try:
            for _ in stop.checked(itertools.count()):
                pass
        finally:
            ended.append(True)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("palate.train.beside.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        beside([endless, endless])
    assert ended == [True, True]
