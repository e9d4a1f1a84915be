from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palate.explain.evidence import Evidence
from palate.types import NO_ITEM, STRANGER, Queries, Ragged, Slate

# Item 3 is supported by items 0 (2.0) and 1 (1.0); item 4 by nothing but its popularity; item 5 by the wish.
SUPPORT = np.zeros((6, 6), np.float32)
SUPPORT[0, 3], SUPPORT[1, 3] = 2.0, 1.0
POPULARITY = np.array([0, 0, 0, 0, 1.5, 0], np.float32)


@dataclass(frozen=True)
class Additive:
    reads: ClassVar[frozenset[str]] = frozenset({"history", "text", "popularity"})

    def scores(self, queries):
        rows = np.stack([SUPPORT[history].sum(axis=0) for history in queries.histories])
        rows[:, 5] += 4.0 * queries.has_wish
        return (rows + POPULARITY).astype(np.float32)


def explain(history, shown, wish=""):
    queries = Queries(np.array([STRANGER], np.int32), Ragged.of([history]), Ragged.of([history]), (wish,))
    scores = np.arange(len(shown), 0, -1, dtype=np.float32)[None]
    slate = Slate(np.array([shown], np.int32), np.where(np.array([shown]) == NO_ITEM, -np.inf, scores))
    return Evidence().explain(Additive(), queries, slate)[0]


def test_the_history_item_that_moves_the_score_most_is_cited_first():
    (reason,) = explain([1, 2, 0], [3])[0]
    assert reason.kind == "history"
    assert reason.items == (0, 1)
    assert reason.weight == 1.0


def test_an_item_is_decisive_when_the_list_changes_without_it():
    # Without item 0 the score of item 3 falls to 1.0, below item 4's 1.5, and a list of one would lose it.
    assert explain([0, 1], [3])[0][0].decisive
    assert not explain([0, 1], [3, 4])[0][0].decisive


def test_what_nothing_supports_is_said_to_be_popular():
    assert [reason.kind for reason in explain([0, 1], [3, 4])[1]] == ["popularity"]


def test_only_the_own_history_is_cited():
    for reasons in explain([0, 1], [3, 4, 5]):
        for reason in reasons:
            assert set(reason.items) <= {0, 1}


def test_a_wish_is_a_reason():
    (reason,) = explain([], [5], wish="quiet")[0]
    assert (reason.kind, reason.weight) == ("text", 1.0)


def test_padding_has_no_reasons():
    assert explain([0], [3, NO_ITEM])[1] == ()


@dataclass(frozen=True)
class Either:
    """Item 2 is raised by item 0 or item 1, whichever is there; item 3 is popular."""

    reads: ClassVar[frozenset[str]] = frozenset({"history", "popularity"})

    def scores(self, queries):
        rows = np.tile(np.array([0, 0, 0, 1], np.float32), (len(queries), 1))
        rows[queries.has_history, 2] = 2
        return rows


def test_what_only_the_whole_history_supports_is_said_so_and_not_called_popular():
    queries = Queries(np.array([STRANGER], np.int32), Ragged.of([[0, 1]]), Ragged.of([[0, 1]]), ("",))
    slate = Slate(np.array([[2, 3]], np.int32), np.array([[2, 1]], np.float32))
    ((first,), (second,)) = Evidence().explain(Either(), queries, slate)[0]
    assert (first.kind, first.items) == ("history", ())
    assert second.kind == "popularity"
