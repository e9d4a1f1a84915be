"""Texts to vectors without a language model: hashed n-grams, tf-idf, truncated SVD on the catalogue."""

import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

from palate.config import option, options
from palate.errors import NotFittedError
from palate.runtime import Runtime
from palate.text.words import words
from palate.types import Floats, Ints
from palate.vectors import unit_rows

_BLOCK = 1024  # texts hashed at once
_BITS = 18  # n-grams share 2 ** 18 buckets
_KEPT = 1 << 15  # buckets kept, those that the most texts use: 16 MB at 128 dimensions
_STEP = np.uint64(0x9E3779B97F4A7C15)


@options
class HashingConfig:
    dim: int = option(128, "Width of the vectors; less where the catalogue holds less.", low=1, high=4096)
    unit: str = option("characters", "What n-grams are made of.", choices=("characters", "words"))
    shortest: int = option(2, "Units in the shortest n-gram.", low=1, high=8)
    longest: int = option(4, "Units in the longest n-gram.", low=1, high=8)
    max_chars: int = option(2000, "Characters after which a text is cut.", low=1)


@dataclass(frozen=True, eq=False)
class HashingEncoder:
    """Latent semantic analysis of n-grams: of characters, which needs no words, so that it reads Chinese as it reads
    English, or of words (see `palate.text.words`).

    Counts are damped (1 + ln tf), weighted by ln((1 + N) / (1 + df)) + 1, and projected on the leading right
    singular vectors. A text that shares no n-gram with the catalogue gives a zero row.

    Reference: Deerwester et al. (1990); the SVD is Halko et al. (2011), algorithm 4.4.

    buckets_: (M,) the n-gram buckets in use, sorted
    projection_: (M, dim) idf times the singular vectors, the largest entry of each column positive
    """

    config: HashingConfig = HashingConfig()
    buckets_: Ints | None = None
    projection_: Floats | None = None

    def fit(self, texts: Sequence[str], runtime: Runtime) -> Self:
        counts = self._counts(texts)
        users = np.bincount(counts.indices, minlength=counts.shape[1])
        most = np.argsort(-users, kind="stable")[:_KEPT]
        buckets = np.sort(most[users[most] > 0]).astype(np.int32)
        idf = np.log((1 + len(texts)) / (1 + users[buckets])) + 1
        weighted = sparse.csr_matrix(counts[:, buckets] @ sparse.diags(idf.astype(np.float32)))
        with threadpool_limits(1):  # the same on any number of threads, and faster on a busy machine
            axes = _singular_vectors(_unit(weighted), self.config.dim, runtime.rng("encode.hashing"))
        return replace(self, buckets_=buckets, projection_=(idf[:, None] * axes).astype(np.float32))

    def encode(self, texts: Sequence[str], *, role: Literal["query", "item"]) -> Floats:
        if self.buckets_ is None or self.projection_ is None:
            raise NotFittedError("HashingEncoder: fit it on the catalogue's texts first")
        return unit_rows(np.asarray(self._counts(texts)[:, self.buckets_] @ self.projection_))

    def _counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """(N, 2 ** _BITS) 1 + ln of how often each bucket is hit."""
        blocks = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)] or [()]
        counts = sparse.csr_matrix(sparse.vstack([self._block(block) for block in blocks]))
        counts.data = 1 + np.log(counts.data)
        return counts

    def _block(self, texts: Sequence[str]) -> sparse.csr_matrix:
        cut = [text[: self.config.max_chars] for text in texts]
        codes, lengths = _characters(cut) if self.config.unit == "characters" else _words(cut)
        found = list(_ngrams(codes, lengths, self.config.shortest, self.config.longest))
        rows, buckets = (np.concatenate([pair[side] for pair in found]) for side in (0, 1))
        hits = np.ones(len(rows), np.float32)
        return sparse.csr_matrix((hits, (rows, buckets)), (len(texts), 1 << _BITS))  # repeats are summed


def _unit(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    """Each row divided by its length."""
    lengths = np.sqrt(
        np.bincount(np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.data**2, rows.shape[0])
    )
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-9)) @ rows, dtype=np.float32)


def _characters(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The code points of all texts, one after the other, and how many each has."""
    tidy = [_tidy(text) for text in texts]
    codes = np.frombuffer("".join(tidy).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    return codes, np.array([len(text) for text in tidy], np.int64)


def _words(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The same for words, each by a hash."""
    found = [words(text) for text in texts]
    hashes = [zlib.crc32(word.encode("utf8", "surrogatepass")) for own in found for word in own]
    return np.array(hashes, np.uint64), np.array([len(own) for own in found], np.int64)


def _tidy(text: str) -> str:
    """Case, width and white space evened out, a space at both ends; "" stays empty."""
    words = unicodedata.normalize("NFKC", text).casefold().split()
    return f" {' '.join(words)} " if words else ""


def _ngrams(
    codes: NDArray[np.uint64], lengths: NDArray[np.int64], shortest: int, longest: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each n the text and the bucket of every n-gram: a polynomial hash of its codes, top bits kept."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(codes))  # codes up to the end of the text
    rolling = np.zeros(len(codes), np.uint64)
    for n in range(1, longest + 1):
        ahead = np.concatenate([codes[n - 1 :], np.zeros(min(n - 1, len(codes)), np.uint64)])
        rolling = (rolling + ahead + np.uint64(n)) * _STEP
        rolling ^= rolling >> np.uint64(29)
        if n >= shortest:
            whole = left >= n
            yield row[whole], (rolling[whole] >> np.uint64(64 - _BITS)).astype(np.int64)


def _singular_vectors(rows: sparse.csr_matrix, dim: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(M, <= dim) leading right singular vectors by randomised subspace iteration, signs fixed; at least one column."""
    width = min(dim, *rows.shape)
    if not rows.nnz:
        return np.zeros((rows.shape[1], 1))
    sketch = rows @ rng.standard_normal((rows.shape[1], min(width + 16, *rows.shape)), np.float32)
    for _ in range(4):
        sketch = rows @ (rows.T @ _orthonormal(sketch))
    images = (rows.T @ _orthonormal(sketch)).astype(np.float64)  # (M, width + 16)
    squares, turns = np.linalg.eigh(images.T @ images)
    values = np.sqrt(np.maximum(squares[::-1][:width], 0))
    values = values[values > 1e-4 * values[0]]
    axes = images @ turns[:, ::-1][:, : len(values)] / values
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(values))])
    return np.asarray(axes * signs)


def _orthonormal(columns: Floats) -> Floats:
    """(N, <= K) columns of length 1 at right angles that span the same, but for directions that are all but absent: by
    the columns' products with each other, which takes a sixth of the time of a QR decomposition."""
    blocks = np.split(columns, range(_BLOCK, len(columns), _BLOCK))
    squares, turns = np.linalg.eigh(sum(block.T @ block for block in (block.astype(np.float64) for block in blocks)))
    real = squares > 1e-10 * squares[-1]
    return np.asarray(columns @ (turns[:, real] / np.sqrt(squares[real])).astype(np.float32))
