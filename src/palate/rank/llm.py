"""A slate to the same items as a language model would order them, asked one by one or in lettered lists."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase as LETTERS
from typing import Any, Self

import numpy as np

from palate.config import option, options
from palate.contracts import Generator
from palate.data.dataset import Dataset
from palate.errors import AssetError, NotFittedError
from palate.rank.cross import standardised
from palate.runtime import Runtime
from palate.text import prompt
from palate.text.prompt import VERDICTS, PromptConfig
from palate.text.render import RenderConfig, item_texts
from palate.types import NO_ITEM, STRANGER, Floats, Ints, Queries, Slate


@options
class LLMRankerConfig:
    how: str = option(
        "pointwise",
        "pointwise: yes or no for each candidate; listwise: a letter among several; written: an order in letters.",
        choices=("pointwise", "listwise", "written"),
    )
    depth: int = option(20, "How many places are asked about, from the first; the rest keep their order.", low=1)
    group: int = option(10, "Candidates in one list of letters.", low=2, high=26)
    passes: int = option(2, "Orders in which lists are shown; every second one is the one before, reversed.", low=1)
    item: str = option("{title} ({tags})", "Template of a candidate's text; may name any column of the items.")


@dataclass(frozen=True, eq=False)
class LLMRanker:
    """Asks a language model about the first places of a list.

    pointwise: log P(Yes) - log P(No) after a prompt that ends in the candidate.
    listwise: log P(its letter) among the letters of its list, plus the log of the list's length, mean over passes.
    written: minus the mean place in the orders that the model writes; candidates that it leaves out share the places
    behind, so that an answer without any candidate changes nothing.

    Models prefer some letters whatever stands there, so lists are shown in several orders: drawn with a seed of the
    request's own, so that neither the batch nor the order of the slate matters, and reversed. Equal scores keep the
    slate's order. Scores of the places behind `depth` lie below, one apart. Signals do not travel on.

    profiles: what is known of people, by user id; a person without one, or a stranger, is asked for by history alone.
    titles_, texts_: (n_items,) of the history and of candidates. told_: (n_users,) profiles.
    identity_: the model it was fitted with; another one is refused.

    A tuned one, which has a record, adds to the score that the slate brought: heard * what the model says + trust *
    the slate's own score, standardised within the places asked about. It learned from histories alone, so requests
    with a wish or without a history keep their order. Made by `palate.train.llm`.

    heard_, trust_: as training found them worth; record_: what it measured.
    """

    config: LLMRankerConfig = LLMRankerConfig()
    generator: Generator | None = None
    prompts: PromptConfig = PromptConfig()
    profiles: Mapping[str, str] = field(default_factory=dict)
    titles_: tuple[str, ...] | None = None
    texts_: tuple[str, ...] = ()
    told_: tuple[str, ...] = ()
    seed_: int = 0
    identity_: str = ""
    heard_: float = 1.0
    trust_: float = 0.0
    record_: Mapping[str, Any] = field(default_factory=dict)

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        """The texts of a catalogue and its people taken in; nothing is learned. Raises AssetError where it was tuned
        with another model."""
        if self.record_:
            self._refuse_another()
        return replace(
            self,
            profiles={},
            titles_=data.items.title,
            texts_=item_texts(data.items, RenderConfig(item=self.config.item, max_chars=self.prompts.item_chars)),
            told_=tuple(self.profiles.get(name, "") for name in data.users.ids.ids) if self.profiles else (),
            seed_=runtime.seed,
            identity_=self._model.identity,
        )

    def rank(self, queries: Queries, slate: Slate) -> Slate:
        told = np.flatnonzero(queries.has_history & ~queries.has_wish) if self.record_ else np.arange(len(queries))
        best = self._ranked(queries.take(told), slate.take(told))
        items, scores = slate.items.copy(), slate.scores.copy()
        items[told], scores[told] = best.items, best.scores
        return Slate(items, scores)

    def mixed(self, said: Floats, prior: Floats) -> Floats:
        """Scores of what the model says and what the slate brought, both of one shape; -inf stays."""
        real = ~np.isneginf(said)
        return np.where(real, self.heard_ * np.where(real, said, 0) + self.trust_ * prior, said).astype(np.float32)

    def _ranked(self, queries: Queries, slate: Slate) -> Slate:
        depth = min(self.config.depth, slate.k)
        scores = np.full(slate.items.shape, -np.inf, np.float32)
        said = self.scores(queries, slate.items[:, :depth])
        scores[:, :depth] = self.mixed(said, standardised(slate.top(depth))) if self.record_ else said
        first = np.where(np.isneginf(scores[:, :depth]), np.inf, scores[:, :depth]).min(axis=1, initial=0.0)
        scores[:, depth:] = first[:, None] - np.arange(1, slate.k - depth + 1)
        return Slate.best(slate.items, scores, slate.k)

    def scores(self, queries: Queries, items: Ints) -> Floats:
        """(B, M) what the model says of items (B, M), larger is better; -inf for NO_ITEM."""
        if self.titles_ is None:
            raise NotFittedError("LLMRanker: fit it first, which takes in the texts of the catalogue")
        self._refuse_another()
        people = self.people(queries)
        if self.config.how == "pointwise":
            return self._pointwise(people, items)
        return self._in_lists(people, items)

    def people(self, queries: Queries) -> list[str]:
        """(B) what the model is told of each request's person."""
        titles = self.titles_ or ()
        known = [self.told_[user] if self.told_ and user != STRANGER else "" for user in queries.users]
        histories = [[titles[item] for item in history[-self.prompts.last :]] for history in queries.histories]
        rows = zip(histories, known, queries.wishes, strict=True)
        return [prompt.person(self.prompts, history, profile, wish) for history, profile, wish in rows]

    def letters(self, people: Sequence[str], lists: Sequence[Ints]) -> list[Floats]:
        """Per list the log-probabilities of its letters, which sum to 1 among themselves."""
        if not lists:
            return []
        prompts = [
            prompt.listwise(self.prompts, who, [self.texts_[item] for item in items])
            for who, items in zip(people, lists, strict=True)
        ]
        longest = max(map(len, lists))
        told = self._model.score(prompts, list(LETTERS[:longest]))
        return [_normalised(row[: len(items)]) for row, items in zip(told, lists, strict=True)]

    def order(self, who: str, items: Ints) -> Ints:
        """The items of a request in an order drawn for it, whatever order they come in."""
        seed = zlib.crc32(who.encode("utf8", "surrogatepass"))
        return np.random.default_rng([self.seed_, seed]).permutation(np.sort(items))

    def _refuse_another(self) -> None:
        if self._model.identity != self.identity_:
            again = "tune" if self.record_ else "fit"
            raise AssetError(
                f"LLMRanker: made for {self.identity_}, not {self._model.identity}; restore that model or {again} again"
            )

    @property
    def _model(self) -> Generator:
        if self.generator is None:
            raise NotFittedError("LLMRanker: it has no language model; give `generator`")
        return self.generator

    def _pointwise(self, people: Sequence[str], items: Ints) -> Floats:
        row, place = np.nonzero(items != NO_ITEM)
        prompts = [
            prompt.pointwise(self.prompts, people[int(b)], self.texts_[items[b, k]])
            for b, k in zip(row, place, strict=True)
        ]
        told = self._model.score(prompts, VERDICTS[self.prompts.language])
        scores = np.full(items.shape, -np.inf, np.float32)
        scores[row, place] = told[:, 0] - told[:, 1]
        return scores

    def _in_lists(self, people: Sequence[str], items: Ints) -> Floats:
        asked = [(b, shown) for b, row in enumerate(items) for shown in self._shown(people[b], row[row != NO_ITEM])]
        lists = [shown for _, shown in asked]
        who = [people[b] for b, _ in asked]
        told = self.letters(who, lists) if self.config.how == "listwise" else self._written(who, lists)
        sums = np.full(items.shape, -np.inf)
        for (b, shown), values in zip(asked, told, strict=True):
            place = (items[b][None, :] == shown[:, None]).argmax(axis=1)
            sums[b, place] = np.where(np.isneginf(sums[b, place]), 0.0, sums[b, place])
            sums[b, place] += values + (np.log(len(shown)) if self.config.how == "listwise" else 0.0)
        return (sums / self.config.passes).astype(np.float32)

    def _shown(self, who: str, items: Ints) -> list[Ints]:
        """The lists that a request's items are shown in, over all passes; each pass shows each item once."""
        lists: list[Ints] = []
        order = items
        for turn in range(self.config.passes if len(items) else 0):
            order = order[::-1] if turn % 2 else self.order(f"{turn} {who}", items)
            lists += np.array_split(order, -(-len(order) // self.config.group))
        return lists

    def _written(self, people: Sequence[str], lists: Sequence[Ints]) -> list[Floats]:
        """Per list minus the place of each item, those not named sharing the mean of the places left."""
        texts = [[self.texts_[item] for item in items] for items in lists]
        prompts = [prompt.in_order(self.prompts, who, shown) for who, shown in zip(people, texts, strict=True)]
        answers = self._model.generate(prompts, 3 * self.config.group + 8)
        return [_places(prompt.chosen(answer, shown), len(shown)) for answer, shown in zip(answers, texts, strict=True)]


def _places(named: Sequence[int], n: int) -> Floats:
    places = np.full(n, -(len(named) + n - 1) / 2, np.float32)
    places[np.asarray(named, np.int64)] = -np.arange(len(named))
    return places


def _normalised(chances: Floats) -> Floats:
    top: Floats = chances - chances.max(initial=-np.inf)
    normalised: Floats = top - np.log(np.exp(top).sum())
    return normalised
