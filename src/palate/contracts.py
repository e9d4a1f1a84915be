"""The page to read first: what each stage of a recommender promises.

raw files -> Dataset -> texts -> vectors;  Queries -> retrieve -> Slate -> rank -> guard -> explain -> Answer.

Implementations are frozen dataclasses with a `config` field first; `fit` returns a fitted copy, so that a model
being served is never changed. Fitted fields end in an underscore. Stages never import each other: they meet here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, Self, runtime_checkable

from palate.data.dataset import Dataset
from palate.runtime import Runtime
from palate.types import Floats, Ints, Queries, Ragged, Reason, Signals, Slate, Verdict

Source = Literal["history", "text", "popularity"]
Reasons = tuple[tuple[tuple[Reason, ...], ...], ...]  # per request, per place


class Encoder(Protocol):
    """Texts to vectors."""

    def fit(self, texts: Sequence[str], runtime: Runtime) -> Self:
        """Learn what is needed from the catalogue's texts; a pretrained encoder returns itself."""
        ...

    def encode(self, texts: Sequence[str], *, role: Literal["query", "item"]) -> Floats:
        """(N, dim) unit rows in the order of the texts; an empty text gives a zero row."""
        ...


class Retriever(Protocol):
    """Requests to scores over the whole catalogue, and to the best items.

    A row of scores depends on its own request alone, never on the others in the batch.
    """

    @property
    def reads(self) -> frozenset[Source]:
        """What it can use of a request and the crowd; a class variable where it is always the same."""
        ...

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        """A fitted copy. Reads `data` only; whatever is not in it is the future."""
        ...

    def scores(self, queries: Queries) -> Floats:
        """(B, n_items) larger is better, never nan; a row of equal values where nothing can be said.

        Seen and ineligible items are scored like any other: leaving them out is `retrieve`'s part.
        Raises NotFittedError before `fit`.
        """
        ...

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        """(B, min(k, n_items)) the best eligible items that are not in `queries.seen`; ties go to the lower row.

        among: (B, M) only these, whether seen or not, NO_ITEM where a row has fewer; ties keep the given order.
        """
        ...


@runtime_checkable
class Trainer(Protocol):
    """A retriever that becomes another one by being fitted, slowly, with gradients."""

    def within(self, seconds: float) -> "Trainer":
        """The same, to be fitted and brought up to date within that time, about."""
        ...

    def refit(self, fitted: Retriever, data: Dataset, runtime: Runtime) -> Retriever:
        """What `fit` made of a part of the data, brought up to date with all of it in a fraction of the time."""
        ...


class Ranker(Protocol):
    """A slate to the same items in a new order."""

    def rank(self, queries: Queries, slate: Slate) -> Slate: ...


class ListTrainer(Protocol):
    """Lists, and what their people liked next, to a ranker that learned from them with gradients."""

    def within(self, seconds: float) -> "ListTrainer":
        """The same, to be taught within that time, about."""
        ...

    def taught(
        self, data: Dataset, queries: Queries, slate: Slate, targets: Ints, runtime: Runtime
    ) -> tuple[Ranker | None, Mapping[str, Any]]:
        """A ranker for slates like these, or none where the lists that it did not learn from do not get better by it;
        and the numbers of that decision.

        data: its items and people are read, not its events. targets: (B,); a list without its target teaches nothing.
        """
        ...


@runtime_checkable
class Accountable(Protocol):
    """A ranker whose scores are sums of what it read of an item."""

    def contributions(self, queries: Queries, slate: Slate) -> Signals:
        """(B, K, F + 1) what each thing that it read adds to the score of each item of a slate, and what is the same
        for all; zeros where it leaves the order as it is, and for padding."""
        ...


class Guard(Protocol):
    """A slate to a verdict: what may stay and which rule removes the rest. Never adds, never reorders."""

    def check(self, queries: Queries, slate: Slate) -> Verdict: ...


class Explainer(Protocol):
    """A shown item to reasons, from the request's own history, wish or popularity, most important first."""

    def explain(self, retriever: Retriever, queries: Queries, slate: Slate) -> Reasons:
        """Per request and place the reasons; padding gets none."""
        ...


class Generator(Protocol):
    """A language model; what it answers to a prompt depends on no other prompt, as far as arithmetic allows."""

    @property
    def identity(self) -> str:
        """Which model it is and all that shapes its answers, for content hashes and saved models."""
        ...

    def generate(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        """(N) what follows each prompt, at most so many tokens, without blanks around it."""
        ...

    def score(self, prompts: Sequence[str], answers: Sequence[str]) -> Floats:
        """(N, A) the log-probability of each answer after each prompt: all its tokens, not what ends it."""
        ...


class Metric(Protocol):
    """A slate and what each user truly wanted, to one number per user."""

    @property
    def name(self) -> str:
        """How reports call it, for example "ndcg@10"."""
        ...

    def per_user(self, slate: Slate, truth: Ragged) -> Floats:
        """(B,) nan where the truth is empty, so that a mean skips the user."""
        ...
