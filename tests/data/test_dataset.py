from dataclasses import replace

import numpy as np

from palate.types import STRANGER


def test_a_stranger_is_never_given_somebody_elses_history(board):
    queries = board.queries(np.array([STRANGER, 0, STRANGER]))
    assert queries.histories.lengths.tolist() == [0, 6, 0]
    assert queries.seen.lengths.tolist() == [0, 6, 0]
    assert queries.histories[1].tolist() == board.histories()[0].tolist()


def test_what_was_not_liked_is_seen_and_no_history(board):
    liked = board.events.liked.copy()
    liked[0] = False
    queries = replace(board, events=replace(board.events, liked=liked)).queries(np.array([0]))
    assert queries.histories.lengths.tolist() == [5]
    assert queries.seen.lengths.tolist() == [6]
