"""A bad version that was forced past the gate does no harm for long."""

from dataclasses import dataclass, replace
from time import monotonic, sleep

import numpy as np
import pytest

from palate.retrieve.top import retrieve_in_blocks
from palate.serve.asks import Ask
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from serve.shop import model

SOON = 60.0
SLOW_S = 0.15  # against a few milliseconds


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A retriever that has one thing wrong with it."""

    inner: object
    how: str

    @property
    def reads(self):
        return self.inner.reads

    def scores(self, queries):
        scores = self.inner.scores(queries)
        if self.how == "nan":
            return np.full_like(scores, np.nan)
        if self.how == "constant":
            return np.zeros_like(scores)
        if self.how == "wrong width":
            return scores[:, :-5]
        sleep(SLOW_S)
        return scores

    def retrieve(self, queries, k, among=None):
        return retrieve_in_blocks(self.scores, queries, k, among)


@pytest.mark.parametrize("how", ["nan", "constant", "wrong width", "ten times slower"])
def test_a_bad_version_that_was_forced_is_taken_back(tmp_path, how, caplog):
    service = Service(ServeConfig(deadline_ms=10_000), tmp_path)
    registry = Registry(tmp_path)
    good = registry.publish(model("popular"))
    registry.promote(good, force=True)
    lineup = Lineup(service, registry)
    lineup.look()
    for row in range(40):
        service.recommend(Ask(user_id=f"u{row % 30}", k=5 + row // 30), monotonic() + SOON).result(SOON)
    bad = registry.publish(model("ease"))
    registry.promote(bad, force=True)
    lineup.look()
    spoiled = service.versions[bad]
    spoiled.recommender = replace(spoiled.recommender, retriever=Spoiled(spoiled.recommender.retriever, how))
    start, asked = monotonic(), 0
    while service.live.name == bad:
        assert monotonic() - start < 30
        listing = service.recommend(Ask(user_id=f"u{asked % 30}", k=3 + asked), monotonic() + SOON).result(SOON)
        assert listing.items, "a degraded answer is still an answer"
        asked += 1
        if asked % 10 == 0:
            lineup.look()
    assert service.live.name == good
    assert registry.audit()[-1]["who"] == "watch"
    service.close()
