"""Texts to the words and phrases that tell them apart: by tf-idf among all, and by log-odds between two kinds."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from palate.text.words import terms
from palate.types import Bools, Ragged

_SURE = 1.96  # standard errors from which a word counts as said more often in one kind of text


def telling(texts: Sequence[str], least: int, share: float) -> list[tuple[str, ...]]:
    """(N) per text its words and phrases by falling (1 + ln tf) ln(N / df); of equals phrases first, then the alphabet.

    Only what `least` texts and no more than this share of them have; a phrase has no word above that share.
    """
    vocabulary, counts = _counts(texts)
    df = np.bincount(counts.indices, minlength=len(vocabulary))
    usable = _nameable(vocabulary, common=df > share * len(texts)) & (df >= least)
    weight = np.where(usable, np.log(len(texts) / np.maximum(df, 1)), 0)
    counts.data = (1 + np.log(counts.data)) * weight[counts.indices]
    return _best(vocabulary, counts)


def contrasted(
    texts: Sequence[str], kind: Bools, groups: Sequence[int], n_groups: int, share: float
) -> list[tuple[str, ...]]:
    """(n_groups) per group the words and phrases in its texts that are much more frequent in one kind of all texts.

    kind, groups: (N,) of each text. Word w, in a_w of A texts of one kind and b_w of B of the other, has
    z = ln((a_w + .5) (B - b_w + .5) / ((b_w + .5) (A - a_w + .5))) / sqrt(1/(a_w + .5) + 1/(b_w + .5)); those with
    |z| of 1.96 or more stand by falling |z| (1 + ln of how many texts of the group have them); equals as in `telling`.
    Without texts of both kinds nothing does.
    """
    if not len(texts) or kind.all() or not kind.any():
        return [()] * n_groups
    vocabulary, counts = _counts(texts)
    counts.data[:] = 1.0
    df = np.asarray(counts.sum(axis=0)).ravel()
    here = np.asarray(counts[np.flatnonzero(kind)].sum(axis=0)).ravel() + 0.5
    there = df + 1.0 - here
    odds = np.log(here / (kind.sum() + 1 - here)) - np.log(there / ((~kind).sum() + 1 - there))
    z = np.abs(odds) / np.sqrt(1 / here + 1 / there)
    usable = _nameable(vocabulary, common=df > share * len(texts)) & (z >= _SURE)
    ones = np.ones(len(texts), np.float32)
    own = sparse.csr_matrix((ones, (np.asarray(groups), np.arange(len(texts)))), (n_groups, len(texts))) @ counts
    own = sparse.csr_matrix(own)
    own.data = (1 + np.log(own.data)) * np.where(usable, z, 0)[own.indices]
    return _best(vocabulary, own)


def _counts(texts: Sequence[str]) -> tuple[tuple[str, ...], sparse.csr_matrix]:
    """All words and phrases, sorted, and (N, n_terms) how often each stands in each text."""
    place: dict[str, int] = {}
    found = Ragged.of([np.array([place.setdefault(term, len(place)) for term in terms(text)]) for text in texts])
    vocabulary = tuple(sorted(place))
    sorted_place = np.empty(len(place), np.int32)
    sorted_place[[place[term] for term in vocabulary]] = np.arange(len(place))
    columns = (np.ones(len(found.values), np.float32), sorted_place[found.values], found.offsets)
    counts = sparse.csr_matrix(columns, (len(texts), len(place)))
    counts.sum_duplicates()
    return vocabulary, counts


def _nameable(vocabulary: tuple[str, ...], common: Bools) -> Bools:
    """(n_terms,) what could name something: more than single characters and numbers, and without a common word."""
    trite = {term for term, often in zip(vocabulary, common, strict=True) if often}

    def names(term: str) -> bool:
        own = term.split(" ")
        return trite.isdisjoint([term, *own]) and any(len(word) > 1 and not word.isdecimal() for word in own)

    return np.array([names(term) for term in vocabulary], np.bool_)


def _best(vocabulary: tuple[str, ...], weights: sparse.csr_matrix) -> list[tuple[str, ...]]:
    """Per row the terms above 0, the heaviest first, without those that share a word with one before them."""
    single = np.array([" " not in term for term in vocabulary], np.bool_)
    found = []
    for start, stop in zip(weights.indptr[:-1], weights.indptr[1:], strict=True):
        own, weight = weights.indices[start:stop], weights.data[start:stop]
        order = np.lexsort((own, single[own], -weight))
        taken: set[str] = set()
        best = []
        for place in order[weight[order] > 0]:
            term = vocabulary[own[place]]
            if taken.isdisjoint(term.split(" ")):
                taken.update(term.split(" "))
                best.append(term)
        found.append(tuple(best))
    return found
