"""BM25: items whose texts share words with the wish, else with the titles in the history."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import bm25s
import numpy as np
from scipy import sparse

from palate.config import option, options
from palate.contracts import Source
from palate.data.dataset import Dataset, IdMap
from palate.retrieve.history import history_matrix
from palate.retrieve.top import fitted, retrieve_in_blocks
from palate.runtime import Runtime
from palate.text.render import item_texts
from palate.text.words import words
from palate.types import Floats, Ints, Queries, Slate


@options
class LexicalConfig:
    k1: float = option(1.5, "How slowly repeated words stop counting.", low=0.0)
    b: float = option(0.75, "How much long texts are discounted, 0 not at all.", low=0.0, high=1.0)
    last: int = option(20, "History items whose titles ask where there is no wish, the newest; 0 is all.", low=0)


@dataclass(frozen=True, eq=False)
class Lexical:
    """BM25 over the items' texts (Lucene's variant); the question is the wish, else the last titles liked.

    A word asked for twice counts twice.

    Reference: Robertson and Zaragoza (2009), The probabilistic relevance framework, section 3; scored with `bm25s`.

    vocabulary_: the words of all texts, sorted
    weights_: (n_words, n_items) what each word adds to each item
    titles_: (n_items, n_words) how often each word stands in each title
    """

    config: LexicalConfig = LexicalConfig()
    vocabulary_: IdMap | None = None
    weights_: sparse.csr_matrix | None = None
    titles_: sparse.csr_matrix | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history", "text"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        texts = [words(text) for text in item_texts(data.items)]
        vocabulary = IdMap(tuple(sorted({word for text in texts for word in text})))
        index = bm25s.BM25(k1=self.config.k1, b=self.config.b)
        known = {word: row for row, word in enumerate(vocabulary.ids)}
        with np.errstate(invalid="ignore"):  # a catalogue without a single word has no mean length
            rows = [[known[word] for word in text] for text in texts]
            index.index((rows, known), create_empty_token=False, show_progress=False)
        columns = (index.scores["data"], index.scores["indices"], index.scores["indptr"])
        weights = sparse.csr_matrix(columns, (len(vocabulary), data.n_items))
        return replace(self, vocabulary_=vocabulary, weights_=weights, titles_=_counts(data.items.title, vocabulary))

    def scores(self, queries: Queries) -> Floats:
        weights, titles = fitted(self.weights_, self), fitted(self.titles_, self)
        wishes = _counts(queries.wishes, fitted(self.vocabulary_, self))
        history = queries.histories.where(~queries.has_wish[queries.histories.row_of])
        asked = wishes + history_matrix(history, weights.shape[1], self.config.last) @ titles
        scores: Floats = (asked @ weights).toarray()
        return scores

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return retrieve_in_blocks(self.scores, queries, k, among)


def _counts(texts: Sequence[str], vocabulary: IdMap) -> sparse.csr_matrix:
    """(N, n_words) how often each known word stands in each text."""
    rows = [Counter(word for word in words(text) if word in vocabulary) for text in texts]
    found = vocabulary.rows([word for row in rows for word in row])
    count = np.array([n for row in rows for n in row.values()], np.float32)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(row) for row in rows], dtype=np.int64)])
    return sparse.csr_matrix((count, found, offsets), (len(texts), len(vocabulary)))
