"""Recommenders of other libraries as recipes: the same splits, the same requests, the same metrics, one process.

Each is fitted and scored by its own library. Ours does what it does for its own parts alone: it leaves out what was
seen, and popularity stands by for requests that the peer has nothing to say on, such as those of strangers.
"""

import importlib
from collections.abc import Callable

from palate.contracts import Retriever
from palate.pipeline import Recommender
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular

# What every peer was allowed: the sentence that stands beside its row.
CHOSEN = "the best of {} declared settings on the last likes of up to 2,000 people held out of train, fitted again"
PEERS: dict[str, tuple[str, str]] = {  # name -> where it is made, what it was allowed
    "implicit-cosine": ("with_implicit:cosine", CHOSEN.format(3)),
    "implicit-tfidf": ("with_implicit:tfidf", CHOSEN.format(3)),
    "implicit-als": ("with_implicit:als", CHOSEN.format(3)),
    "implicit-bpr": ("with_implicit:bpr", CHOSEN.format(3)),
    "rectools-ease": ("with_rectools:ease", CHOSEN.format(2)),
    "rectools-sasrec-ids": (
        "with_rectools:sasrec_ids",
        "default options, ids only; the last like of 2,048 people held out of train stops it early",
    ),
    "rectools-sasrec": (
        "with_rectools:sasrec",
        "default options, ids and item categories; the last like of 2,048 people held out of train stops it early",
    ),
    "rectools-sasrec-guide": (
        "with_rectools:sasrec_guide",
        "ids only, sized as in the library's training guide (64 factors, 2 heads, length 50); the last like of 2,048 "
        "people held out of train stops it early",
    ),
    "rectools-sasrec-sampled": (
        "with_rectools:sasrec_sampled",
        "as rectools-sasrec-guide, with its sampled softmax of 256 negatives a place, since the full one takes twelve "
        "minutes an epoch on Beauty",
    ),
}


def make(name: str) -> Recommender:
    """The peer of that name, not yet fitted. Its library is imported only here."""
    place, function = PEERS[name][0].split(":")
    made: Callable[[], Retriever] = getattr(importlib.import_module(f"benchmarks.peers.{place}"), function)
    return Recommender(Fused(members=(made(), Popular()), weights=(1.0, 0.0)))


def chosen(fitted: Recommender) -> str:
    """The setting that a fitted peer chose, "" where it had no choice."""
    assert isinstance(fitted.retriever, Fused)
    record = getattr(fitted.retriever.members[0], "record_", None)
    return str(next(iter(record))) if record else ""
