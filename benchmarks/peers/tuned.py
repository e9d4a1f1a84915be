"""Several settings of one recommender to the best of them, chosen on likes that were held out of train."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from palate.contracts import Retriever, Source
from palate.data.dataset import Dataset
from palate.retrieve.top import fitted
from palate.runtime import Runtime
from palate.train.holdout import hold_out, quality
from palate.types import Floats, Ints, Queries, Slate

PEOPLE, ENOUGH = 2000, 20


@dataclass(frozen=True, eq=False)
class Tuned:
    """Fits every setting on train less held-out likes, keeps the one with the best NDCG@10 on them, and fits it on all.

    With fewer than 20 held-out likes the first setting, its library's default, is taken.

    record_: NDCG@10 by setting, the chosen one first.
    """

    settings: Mapping[str, Retriever]
    chosen_: Retriever | None = None
    record_: Mapping[str, float] | None = None

    reads: ClassVar[frozenset[Source]] = frozenset({"history"})

    def fit(self, data: Dataset, runtime: Runtime) -> Self:
        rest, queries, targets = hold_out(data, PEOPLE, runtime.rng("peers"))
        found: dict[str, float] = {}
        if len(queries) >= ENOUGH:
            for name, setting in self.settings.items():
                slate = setting.fit(rest, runtime).retrieve(queries, 10)
                found[name] = float(quality(slate, targets).mean())
        best = max(found, key=lambda name: found[name]) if found else next(iter(self.settings))
        record = {best: found.get(best, float("nan")), **found}
        return replace(self, chosen_=self.settings[best].fit(data, runtime), record_=record)

    def scores(self, queries: Queries) -> Floats:
        return fitted(self.chosen_, self).scores(queries)

    def retrieve(self, queries: Queries, k: int, among: Ints | None = None) -> Slate:
        return fitted(self.chosen_, self).retrieve(queries, k, among)
