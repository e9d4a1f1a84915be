"""Lists, and what their people liked next, to questions with a right answer that a language model learns from."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from palate.rank.llm import LLMRanker
from palate.text import prompt
from palate.train.holdout import quality
from palate.train.logit import conditional_logit
from palate.types import NO_ITEM, Bools, Floats, Ints, Longs, Queries, Slate

STRETCH = 16  # batches within which questions are sorted by length


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, and which of the first `n` answers is right: of yes and no, or of letters."""

    prompt: str
    right: int
    n: int = 2


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is asked in an epoch, given its random stream: always equally many questions."""

    asked: Callable[[np.random.Generator], list[Question]]
    n_questions: int
    batch: int

    @property
    def n_batches(self) -> int:
        return -(-self.n_questions // self.batch)

    def batches(self, rng: np.random.Generator) -> Iterator[list[Question]]:
        """One epoch in random order, questions of similar length together."""
        asked = self.asked(rng)
        order, lengths = rng.permutation(len(asked)), np.array([len(one.prompt) for one in asked])
        stretch = np.arange(len(order)) // (STRETCH * self.batch)
        order = order[np.lexsort((lengths[order], stretch))]
        groups = np.split(order, range(self.batch, len(order), self.batch))
        return ([asked[row] for row in groups[at]] for at in rng.permutation(len(groups)))


@dataclass(frozen=True, eq=False)
class Lists:
    """B requests, what each was shown, and targets (B,): what its person liked next."""

    queries: Queries
    slate: Slate
    targets: Ints

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: Longs) -> "Lists":
        """The given requests."""
        return Lists(self.queries.take(rows), self.slate.take(rows), self.targets[rows])

    def holds(self, depth: int) -> Bools:
        """(B,) whether the target stands among so many first places, and history alone is asked by."""
        met: Bools = (self.slate.items[:, :depth] == self.targets[:, None]).any(axis=1)
        return met & self.queries.has_history & ~self.queries.has_wish

    def parted(
        self, depth: int, most: int, held_out: int, rng: np.random.Generator
    ) -> tuple["Lists", "Lists", "Lists"]:
        """Those that teach, at most `most`, that choose and that judge, together at most `held_out`.

        A quarter of the lists with the target in the first `depth` places judges, a quarter of the rest chooses.
        """
        near = rng.permutation(np.flatnonzero(self.holds(depth)))
        judges = near[: min(len(near) // 4, held_out // 2)]
        choosers = near[len(judges) :][: min((len(near) - len(judges)) // 4, held_out - len(judges))]
        held = np.isin(np.arange(len(self)), np.concatenate([judges, choosers]))
        teachers = rng.permutation(np.flatnonzero(self.holds(self.slate.k) & ~held))[:most]
        return self.take(teachers), self.take(choosers), self.take(judges)

    def quality(self, scores: Floats) -> Floats:
        """(B,) NDCG@10 of the first places ordered by scores (B, depth)."""
        return quality(Slate.best(self.slate.items[:, : scores.shape[1]], scores, 10), self.targets)

    def worth(self, said: Floats, prior: Floats) -> tuple[float, float]:
        """How much what a model says and what the slate brought, both (B, depth), count beside each other."""
        items = self.slate.items[:, : said.shape[1]]
        place = (items == self.targets[:, None]).argmax(axis=1)[:, None]
        rest = np.argsort(np.arange(items.shape[1])[None, :] != place, axis=1, kind="stable")  # the target first
        real = np.take_along_axis(items != NO_ITEM, rest, axis=1)
        told = np.stack([np.take_along_axis(part, rest, axis=1) for part in (said, prior)], axis=2)
        told = np.where(real[:, :, None], told, 0.0).astype(np.float32)
        heard, trust = conditional_logit(told, real, np.zeros_like(real)).own
        return float(heard), float(trust)

    def fingerprint(self) -> str:
        """A hash of everything that can be learned from them."""
        digest = hashlib.sha256()
        for part in (
            self.queries.users,
            self.queries.histories.values,
            self.slate.items,
            self.slate.scores,
            self.targets,
        ):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


def lesson(ranker: LLMRanker, lists: Lists, negatives: int, batch: int) -> Lesson:
    """The questions that the ranker asks about such lists; which candidates, and in which order, is drawn anew in each
    epoch, so that no letter is preferred."""
    people = ranker.people(lists.queries)
    if ranker.config.how == "listwise":
        return Lesson(lambda rng: _lettered(ranker, people, lists, rng), len(lists), batch)
    real = (lists.slate.items != NO_ITEM).sum(axis=1)
    return Lesson(
        lambda rng: _one_by_one(ranker, people, lists, negatives, rng),
        int(np.minimum(real, negatives + 1).sum()),
        batch,
    )


def _one_by_one(
    ranker: LLMRanker, people: Sequence[str], lists: Lists, negatives: int, rng: np.random.Generator
) -> list[Question]:
    """About each target, and about `negatives` others of its list."""
    found = []
    for who, items, target in zip(people, lists.slate.items, lists.targets, strict=True):
        others = rng.permutation(items[(items != NO_ITEM) & (items != target)])[:negatives]
        for right, item in ((0, target), *((1, other) for other in others)):
            found.append(Question(prompt.pointwise(ranker.prompts, who, ranker.texts_[item]), right))
    return found


def _lettered(ranker: LLMRanker, people: Sequence[str], lists: Lists, rng: np.random.Generator) -> list[Question]:
    """Each target among others of its list."""
    found = []
    for who, items, target in zip(people, lists.slate.items, lists.targets, strict=True):
        others = rng.permutation(items[(items != NO_ITEM) & (items != target)])[: ranker.config.group - 1]
        shown = rng.permutation(np.append(others, target))
        texts = [ranker.texts_[item] for item in shown]
        found.append(Question(prompt.listwise(ranker.prompts, who, texts), int((shown == target).argmax()), len(shown)))
    return found
