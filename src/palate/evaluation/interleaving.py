"""Two rankers' lists to one list that shows both, and its clicks to which ranker people prefer.

Everybody sees both rankers in every list, so that a preference shows with far fewer people than between two arms.

Reference: Radlinski, Kurup and Joachims (2008), How does clickthrough data reflect retrieval quality?, CIKM,
section 4.2 (team draft).
"""

import hashlib
import math
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Literal, TypeVar

import numpy as np
from scipy import stats

from palate.evaluation.compare import Interval
from palate.evaluation.sequential import PLANNED, Doubles, mean
from palate.types import Longs

T = TypeVar("T", bound=Hashable)
Team = Literal["a", "b", ""]  # "" belongs to neither, as the other ranker had nothing left


@dataclass(frozen=True, slots=True)
class Draft(Generic[T]):
    """One list, best first, and the team of each of its places."""

    items: tuple[T, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class Preference:
    """What people prefer, a person counting once however many lists they saw.

    prefer_a, prefer_b, undecided: people by the sign of their own score.
    score: mean over people of (lists that b won - lists that a won) / their lists, -1 to 1; holds at all looks.
    p: always-valid p-value of a score of 0.
    share: of those who prefer one, who prefer b, Clopper and Pearson's interval; for one look, as is the sign test.
    sign_p: exact two-sided sign test.
    """

    prefer_a: int
    prefer_b: int
    undecided: int
    score: Interval
    p: float
    share: Interval
    sign_p: float


def team_draft(a: Sequence[T], b: Sequence[T], k: int, key: str) -> Draft[T]:
    """The first `k` places that two rankers draft in rounds: a coin says who picks first, and each picks its best item
    that is not yet picked.

    key: names the request (with a salt of the experiment); the same key gives the same coins, in any order of requests
    and on any machine. Once a list has ended, the other fills up, for no team: such places tell of nobody.

    Coins of this key: a, a. So a picks 1, b the best it has besides, which is 3; then a picks 2 and b picks 4.

    >>> team_draft([1, 2, 3, 4], [1, 3, 4, 5], k=4, key="shelves:r2")
    Draft(items=(1, 3, 2, 4), teams=('a', 'b', 'a', 'b'))
    """
    picks: dict[T, Team] = {}
    lists: dict[Team, Sequence[T]] = {"a": a, "b": b}
    coins = _coins(key)
    while len(picks) < k and all(_left(ranked, picks) for ranked in lists.values()):
        first = next(coins)
        for team in (first, _other(first))[: k - len(picks)]:
            picks |= dict.fromkeys(_left(lists[team], picks), team)
    rest = [item for item in dict.fromkeys((*a, *b)) if item not in picks][: k - len(picks)]
    nobody: list[Team] = [""] * len(rest)
    return Draft((*picks, *rest), (*picks.values(), *nobody))


def winner(draft: Draft[T], clicked: Collection[T]) -> int:
    """1 where more clicks went to team b, -1 where more went to a, 0 where as many or none.

    >>> winner(Draft((1, 3, 2, 4), ("a", "b", "a", "b")), {3, 4, 2})
    1
    """
    teams = [team for item, team in zip(draft.items, draft.teams, strict=True) if item in clicked]
    return int(np.sign(teams.count("b") - teams.count("a")))


def preference(users: Longs, outcomes: Longs, planned: int = PLANNED) -> Preference:
    """Who is preferred, from the winner (N,) of each list and its user (N,).

    Users are in the order in which they came; a click that comes later must not change what is here.

    Three people: the first preferred b twice in three lists, the second a in the only one, the third neither.

    >>> found = preference(np.array([1, 1, 1, 2, 3]), np.array([1, 0, 1, -1, 0]))
    >>> found.prefer_a, found.prefer_b, found.undecided, round(found.score.mean, 3), found.sign_p
    (1, 1, 1, -0.111, 1.0)
    """
    scores = _per_user(users, outcomes)
    prefer_a, prefer_b = int((scores < 0).sum()), int((scores > 0).sum())
    decided = prefer_a + prefer_b
    score, p = mean(scores, planned)
    if not decided:
        share, sign_p = Interval(math.nan, math.nan, math.nan, 0), 1.0
    else:
        test = stats.binomtest(prefer_b, decided)
        bounds = test.proportion_ci(0.95, method="exact")
        share = Interval(prefer_b / decided, float(bounds.low), float(bounds.high), decided)
        sign_p = float(test.pvalue)
    return Preference(prefer_a, prefer_b, len(scores) - decided, score, p, share, sign_p)


def _per_user(users: Longs, outcomes: Longs) -> Doubles:
    """(U,) the mean outcome of each user's lists, users in the order in which they came."""
    _, first, which, lists = np.unique(users, return_index=True, return_inverse=True, return_counts=True)
    totals = np.bincount(which, weights=outcomes, minlength=len(lists))
    scores: Doubles = (totals / lists)[np.argsort(first)]
    return scores


def _coins(key: str) -> Iterator[Team]:
    """Fair coins that hang on the key alone."""
    block = 0
    while True:
        bits = int.from_bytes(hashlib.blake2b(f"{block}:{key}".encode()).digest(), "big")
        for place in range(512):
            yield "b" if bits >> place & 1 else "a"
        block += 1


def _other(team: Team) -> Team:
    return "b" if team == "a" else "a"


def _left(ranked: Sequence[T], picks: Collection[T]) -> list[T]:
    """The best item that is not yet picked, none where the list has ended."""
    return list(islice((item for item in ranked if item not in picks), 1))
