"""The model that users hold: outside ids and frames in, outside ids and frames out."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from palate import build, store
from palate.contracts import Accountable
from palate.data.dataset import Dataset, FrameKind
from palate.data.frames import native, texts_of
from palate.errors import ConfigError, PalateWarning, StoreError
from palate.explain.narrate import sentence
from palate.guard.rules import eligible
from palate.pipeline import Recommender
from palate.runtime import Runtime
from palate.train.lesson import BlendConfig
from palate.types import NO_ITEM, STRANGER, Answer, Ints, Longs, Queries, Ragged, Signals


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted recommender with the data it answers from. Made by `palate.fit`, `palate.load`.

    about: recipe, seed, data hash, version and what was decided while fitting.
    """

    data: Dataset
    recommender: Recommender
    about: Mapping[str, Any] = field(default_factory=dict)

    def recommend(
        self,
        users: Sequence[str] | str | None = None,
        *,
        k: int = 10,
        text: str | None = None,
        history: Sequence[str] | None = None,
        candidates: Any = None,
        explain: bool = False,
        include_seen: bool = False,
        allow: Sequence[str] | None = None,
        deny: Sequence[str] = (),
        where: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Any:
        """The best `k` items for each user, or for one stranger with a text, a history or both.

        users: ids; one that is not known is answered from `text` or popularity, with a PalateWarning that says so.
        text: a wish in plain words, for the stranger or for all the users given.
        history: item ids a stranger liked, oldest first.
        candidates: a frame (user_id, item_id); only these are ranked, whether seen or not.
        include_seen: also show what the user already had.
        allow, deny: item ids; where: attribute to permitted value or values.

        Returns a frame user_id, rank (from 1), item_id, score (larger is better), of the kind that the data came
        in; with `explain` also basis ("history", "text", "history+text" or "popularity"), reasons (sentences) and, in
        a model with trees, parts: what each part contributes to the score that trees gave the item, and at the end the
        score expected of any item; together they are the score, unless the list was built for variety. Empty where
        trees did not decide the order (a wish, no history).
        A stranger's user_id is null. Raises UnknownIdError for an item id that is not in the catalogue.
        """
        if k < 1:
            raise ConfigError(f"k: {k} is below 1")
        names = [users] if isinstance(users, str) else None if users is None else [str(name) for name in users]
        if candidates is not None:
            if names is not None or text is not None or history is not None or explain:
                raise ConfigError("candidates: names its own users; leave out users, text, history and explain")
            return self._ranked(candidates, k)
        queries = self._queries(names, text, history)
        if include_seen:
            queries = replace(queries, seen=Ragged.empty(len(queries)))
        if allow is not None or deny or where:
            queries = replace(queries, eligible=eligible(self.data.items, allow=allow, deny=deny, where=where))
        answer = self.recommender.recommend(queries, k, explain=explain)
        if names is not None:
            _warn_of_strangers(names, queries, answer)
        return self._frame(names or [None], answer, text or "", self.data.frame)

    def score(self, pairs: Any) -> Any:
        """A frame (user_id, item_id) with a column `score` added, larger is better, comparable within a user.

        Raises UnknownIdError for an item that is not in the catalogue; unknown users are scored as strangers.
        """
        named, kind = texts_of(pairs, ("user_id", "item_id"), "pairs")
        users, rows, items = self._pairs(named)
        own = tuple(ranker for ranker in self.recommender.rankers if isinstance(ranker, Accountable))
        ranked = replace(self.recommender, rankers=own)  # variety gives scores to places
        slate = ranked.score(self._queries(users, None, None), _lists(len(users), rows, items))
        width = self.data.n_items + 1  # room for NO_ITEM
        found = (np.arange(len(slate))[:, None] * width + slate.items).ravel()
        order = np.argsort(found)
        place = np.searchsorted(found, rows.astype(np.int64) * width + items, sorter=order)
        return native({**named, "score": slate.scores.ravel()[order[place]]}, kind)

    def similar(self, items: Sequence[str] | str, k: int = 10) -> Any:
        """The `k` items that someone who liked only this one would be shown: item_id, rank, similar_item_id, score."""
        names = [items] if isinstance(items, str) else [str(name) for name in items]
        rows = Ragged.of([[self.data.items.ids.row(name)] for name in names])
        strangers = np.full(len(names), STRANGER, np.int32)
        slate = self.recommender.recommend(Queries(strangers, rows, rows, ("",) * len(names)), k).slate
        row, place = np.nonzero(slate.items != NO_ITEM)
        table = {
            "item_id": [names[one] for one in row],
            "rank": place + 1,
            "similar_item_id": self.data.items.ids.names(slate.items[row, place]),
            "score": slate.scores[row, place],
        }
        return native(table, self.data.frame)

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder (replaced in one step if it holds a model); nothing in it is pickled."""
        store.save(Path(folder), (self.data, self.recommender), self.about)

    def _queries(self, names: list[str] | None, text: str | None, history: Sequence[str] | None) -> Queries:
        """Requests for named users, or one for a stranger."""
        if names is None:
            if text is None and history is None:
                raise ConfigError("recommend: give users, a text, a history or candidates")
            rows = Ragged.of([[self.data.items.ids.row(str(name)) for name in history or ()]])
            return Queries(np.array([STRANGER], np.int32), rows, rows, (text or "",))
        if history is not None:
            raise ConfigError("history: is for a stranger; known users have theirs, so leave out users or history")
        users = self.data.users.ids.rows(names)
        return replace(self.data.queries(users), wishes=(text or "",) * len(names))

    def _pairs(self, named: Mapping[str, list[str]]) -> tuple[list[str], Ints, Ints]:
        """The distinct users of a table in order of appearance, (N,) their places in that list, (N,) item rows."""
        places = {name: place for place, name in enumerate(dict.fromkeys(named["user_id"]))}
        rows = np.array([places[name] for name in named["user_id"]], np.int32)
        items = np.array([self.data.items.ids.row(name) for name in named["item_id"]], np.int32)
        return list(places), rows, items

    def _ranked(self, candidates: Any, k: int) -> Any:
        named, kind = texts_of(candidates, ("user_id", "item_id"), "candidates")
        users, rows, items = self._pairs(named)
        slate = self.recommender.rank(self._queries(users, None, None), _lists(len(users), rows, items)).top(k)
        return self._frame(users, Answer(slate, ()), "", kind)

    def _frame(self, names: Sequence[str | None], answer: Answer, wish: str, kind: FrameKind) -> Any:
        row, place = np.nonzero(answer.slate.items != NO_ITEM)
        table: dict[str, Any] = {
            "user_id": [names[int(one)] for one in row],
            "rank": place + 1,
            "item_id": self.data.items.ids.names(answer.slate.items[row, place]),
            "score": answer.slate.scores[row, place],
        }
        if answer.reasons:
            titles = self.data.items.title
            table["basis"] = [answer.basis[one] for one in row]
            table["reasons"] = [
                [sentence(reason, titles, wish) for reason in answer.reasons[r][p]]
                for r, p in zip(row, place, strict=True)
            ]
        if answer.contributions is not None:
            table["parts"] = _parts(answer.contributions, row, place)
        return native(table, kind)


def fit(
    data: Dataset,
    recipe: str = "balanced",
    *,
    seed: int = 0,
    encoder: str = "auto",
    diversify: Mapping[str, Any] | None = None,
    budget: float = math.inf,
    newcomers: int = BlendConfig.newcomers,
    llm: str | Path | None = None,
    ranker: str | Path | None = None,
    runtime: Runtime | None = None,
) -> Model:
    """Train a recipe on a data set.

    recipe: see `palate.build.RECIPES`; encoder: "auto", "hashing", a known model, a local folder or a hub id.
    diversify: options of `palate.rank.diversify.DiversifyConfig`, for example {"mmr": 0.3}: lists are built for variety
        too, and their scores then belong to places, no longer to items. What it costs: `palate.evaluate(..., trade=)`.
    budget: seconds that fitting may take, about: parts, options and training are cut to it. What comes out then hangs
        on the machine; without a budget a seed gives the same model again there.
    newcomers: of so many places of a list at least one is for items that nobody has liked yet, where their texts tell
        which; 0 keeps none.
    llm: a folder that `palate tune llm` wrote: that language model puts the first places in order, after the recipe's
        own rankers. A saved model holds what was tuned and names the language model, which must stay.
    ranker: a folder that `palate tune ranker` wrote: it reads person and item and puts the first places in order, after
        the recipe's own rankers; whether that helps here is not asked again. A saved model names the ranker's language
        model, which must stay.
    runtime: circumstances of the run, made from `seed` if not given.
    """
    runtime = runtime or Runtime(seed=seed)
    recommender = build.fit(
        recipe,
        data,
        runtime,
        encoder=encoder,
        diversify=diversify,
        budget=budget,
        newcomers=newcomers,
        llm=llm,
        ranker=ranker,
    )
    about = {
        "palate": version("palate"),
        "recipe": recipe,
        "seed": seed,
        "encoder": encoder,
        "diversify": dict(diversify or {}),
        "newcomers": newcomers,
        "llm": str(llm) if llm else None,
        "ranker": str(ranker) if ranker else None,
        "data": data.fingerprint(),
        "notes": list(data.notes),
        "decisions": build.decisions(recommender),
    }
    return Model(data, recommender, about)


def load(folder: str | Path) -> Model:
    """A saved model. Raises StoreError where the folder is missing, damaged or of another format."""
    path = Path(folder)
    found = store.load(path, build.kinds())
    if not isinstance(found, tuple):
        raise StoreError(
            f"{path}: a saved {type(found).__name__}, not a model; use it by `palate train --ranker {path}`"
        )
    data, recommender = found
    return Model(data, recommender, store.manifest(path))


def _lists(n_users: int, rows: Ints, items: Ints) -> Ints:
    """(n_users, longest) the distinct items of each user, in the order of the pairs, padded with NO_ITEM."""
    ends = np.cumsum(np.bincount(rows, minlength=n_users))[:-1]
    lists = [list(dict.fromkeys(part)) for part in np.split(items[np.argsort(rows, kind="stable")], ends)]
    grid = np.full((len(lists), max(map(len, lists), default=0)), NO_ITEM, np.int32)
    for row, one in enumerate(lists):
        grid[row, : len(one)] = one
    return grid


def _parts(told: Signals, row: Longs, place: Longs) -> list[list[dict[str, Any]]]:
    """(N,) what each part contributes to the items at these rows and places (N,); [] where nothing does."""
    told = told.by_part()
    return [
        [{"part": name, "contribution": value} for name, value in zip(told.names, values, strict=True) if any(values)]
        for values in told.values[row, place].tolist()
    ]


def _warn_of_strangers(names: list[str], queries: Queries, answer: Answer) -> None:
    rows = np.flatnonzero(queries.users == STRANGER)
    if len(rows):
        basis = answer.basis[rows[0]]
        shown = ", ".join(names[row] for row in rows[:3]) + (" ..." if len(rows) > 3 else "")
        warnings.warn(f"{len(rows)} unknown user(s) answered from {basis}: {shown}", PalateWarning, stacklevel=3)
