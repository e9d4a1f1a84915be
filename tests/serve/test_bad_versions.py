"""A bad version that was forced past the gate does no harm for long."""

from dataclasses import dataclass, field, replace
from time import monotonic, sleep

import numpy as np
import pytest

from palate.retrieve.top import retrieve_in_blocks
from palate.serve.asks import Ask
from palate.serve.events import Event
from palate.serve.lineup import Lineup
from palate.serve.registry import Registry
from palate.serve.service import Service
from palate.serve.settings import ServeConfig
from palate.serve.watch import go_back
from serve.shop import model

SOON = 60.0
SLOW_S = 0.15  # against a few milliseconds


@dataclass(frozen=True, eq=False)
class Spoiled:
    """A retriever that has one thing wrong with it."""

    inner: object
    how: str
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

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
        if self.how == "30 % worse":
            return np.where(self.rng.random((len(scores), 1)) < 0.3, -scores, scores)
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


TOGETHER = 10  # people who come at one moment
BEFORE = 400  # people of the first version
CHANCE = 0.9  # of liking the item that is popular, where it is in the list


def come(service, rng, wanted, start):
    """New people are shown lists, and some who see what they want like it."""
    asks = [Ask(user_id=f"new {start + row}", k=5) for row in range(TOGETHER)]
    far = monotonic() + SOON
    asked = [service.recommend(ask, far) for ask in asks]
    events = []
    for ask, future in zip(asks, asked, strict=True):
        listing = future.result(SOON)
        service.exposed(f"r {ask.user_id}", ask, listing)
        if wanted in {one.item_id for one in listing.items} and rng.random() < CHANCE:
            events.append(Event(f"e {ask.user_id}", ask.user_id, wanted, 5000.0))
    service.tell(events).result(SOON)


@pytest.mark.parametrize("how", ["30 % worse", "as good"])
def test_a_version_that_was_forced_though_people_like_it_less_is_taken_back(tmp_path, how, caplog):
    """Who comes is new each time, as many before as after; nothing is wrong with the answers as such."""
    service = Service(ServeConfig(deadline_ms=10_000, watch_like_s=2.0, reserve_mb=0), tmp_path)
    registry, rng = Registry(tmp_path), np.random.default_rng(0)
    good = registry.publish(model("popular"))
    registry.promote(good, force=True)
    lineup = Lineup(service, registry)
    lineup.look()
    wanted = service.recommend(Ask(user_id="new", k=5), monotonic() + SOON).result(SOON).items[0].item_id
    for start in range(0, BEFORE, TOGETHER):
        come(service, rng, wanted, start)
    forced = registry.publish(model("popular"))
    registry.promote(forced, force=True)
    lineup.look()
    if how != "as good":
        version = service.versions[forced]
        version.recommender = replace(version.recommender, retriever=Spoiled(version.recommender.retriever, how))
    start = monotonic()
    for row in range(BEFORE, 2 * BEFORE if how == "as good" else 5000, TOGETHER):
        come(service, rng, wanted, row)
        lineup.look()
        if service.live.name != forced:
            break
    assert monotonic() - start < 30
    assert service.live.name == (forced if how == "as good" else good)
    if how == "as good":
        assert go_back(registry, service.watch, monotonic() + 10.0) is None  # nor when all is known
    else:
        assert "people liked something of their list" in registry.audit()[-1]["why"]
        assert registry.audit()[-1]["why"] in caplog.text
        assert b'palate_returned_total{move="rollback"} 1.0' in service.counters.text()
    service.close()
