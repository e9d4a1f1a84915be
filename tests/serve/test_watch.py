import pytest

from palate.serve.registry import Registry
from palate.serve.watch import Watch, WatchConfig, go_back
from serve.versions import popular, shop, until


def fed(answers, version="new", start=0.0, every=0.1):
    """A watch that saw (ok, latency_ms, degenerate) one after the other."""
    watch = Watch()
    feed(watch, answers, version, start, every)
    return watch


def feed(watch, answers, version, start=0.0, every=0.1):
    for n, (ok, latency_ms, degenerate) in enumerate(answers):
        watch.feed(version, start + every * n, ok=ok, latency_ms=latency_ms, degenerate=degenerate)


GOOD, FAILED, EMPTY, SLOW = (True, 10.0, False), (False, 10.0, False), (True, 10.0, True), (True, 2000.0, False)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        pytest.param(FAILED, "5 of the last 100 answers of new failed; allowed are 2%", id="errors"),
        pytest.param(EMPTY, "5 of the last 100 answers of new were empty or held nan; allowed are 2%", id="degenerate"),
    ],
)
def test_five_bad_answers_of_a_hundred_are_told(bad, said):
    assert fed([GOOD] * 95 + [bad] * 5).bad("new", None, 10.0) == said
    assert fed([GOOD] * 96 + [bad] * 4).bad("new", None, 10.0) == ""  # too few to count
    assert fed([GOOD] * 294 + [bad] * 6, every=0.05).bad("new", None, 15.0) == ""  # 2 %, the limit
    assert fed([GOOD] * 293 + [bad] * 7, every=0.05).bad("new", None, 15.0) != ""


def test_more_than_one_in_twenty_slow_answers_are_told():
    assert fed([GOOD] * 95 + [SLOW] * 5).bad("new", None, 10.0) == ""
    said = fed([GOOD] * 94 + [SLOW] * 6).bad("new", None, 10.0)
    assert said == "6 of the last 100 answers of new took longer than 1000 ms; allowed are 5%"


def test_ten_times_slower_than_the_version_before_is_told_long_before_any_limit():
    watch = fed([(True, 20.0, False)] * 100, "old")
    feed(watch, [(True, 200.0, False)] * 20, "new", 10.0)
    assert "took longer than 60 ms, 0.0% of those of old" in watch.bad("new", "old", 12.0)
    feed(watch, [(True, 55.0, False)] * 100, "other", 10.0)  # 2.75 times
    assert watch.bad("other", "old", 20.0) == ""


def test_a_quick_answer_is_never_too_slow():
    watch = fed([(True, 1.0, False)] * 100, "old")
    feed(watch, [(True, 49.0, False)] * 100, "new", 10.0)
    assert watch.bad("new", "old", 20.0) == ""


def test_one_error_at_three_in_the_morning_is_not_the_version():
    assert fed([FAILED], every=60.0).bad("new", None, 1.0) == ""
    assert fed([FAILED] * 9).bad("new", None, 2.0) == ""
    assert fed([GOOD] * 30 + [FAILED], every=60.0).bad("new", None, 1800.0) == ""


def test_a_quiet_night_does_not_hide_a_version_that_always_fails():
    assert "10 of the last 10" in fed([FAILED] * 25, every=60.0).bad("new", None, 1500.0)


def test_what_both_versions_suffer_from_is_not_the_new_one():
    watch = fed([GOOD, FAILED] * 50, "old")
    feed(watch, [GOOD, FAILED, FAILED] * 30, "new", 10.0)
    assert "60 of the last 90 answers of new failed" in watch.bad("new", None, 19.0)
    assert watch.bad("new", "old", 19.0) == ""  # 67 % are not more than twice 50 %


def test_old_sins_are_forgotten():
    watch = fed([FAILED] * 50)
    feed(watch, [GOOD] * 300, "new", 5.0)
    assert "50 of the last 350" in watch.bad("new", None, 29.9)
    assert watch.bad("new", None, 35.1) == ""


@pytest.mark.parametrize("per_second", [1, 5, 50, 200])
@pytest.mark.parametrize("bad", [FAILED, EMPTY, (True, 300.0, False)], ids=["errors", "nan", "ten-times-slower"])
def test_a_bad_version_is_found_within_thirty_seconds_at_any_pace(bad, per_second):
    """F6, as a server asks once a second; half of the answers are bad, or all where one comes a second."""
    watch = fed([(True, 30.0, False)] * 200, "old", 0.0, 1 / per_second)
    start = 200 / per_second
    for second in range(1, 31):
        feed(watch, [GOOD if n % 2 and per_second > 1 else bad for n in range(per_second)], "new", start + second - 1)
        if watch.bad("new", "old", start + second):
            return
    pytest.fail("nothing found in thirty seconds")


def test_nothing_is_known_of_a_version_that_never_answered():
    assert Watch(WatchConfig()).bad("new", "old", 0.0) == ""


@pytest.fixture
def registry(tmp_path):
    registry = Registry(tmp_path)
    for days in (8, 9, 10):
        registry.publish(popular(until(shop(), days)))
    return registry


def test_a_bad_live_version_gives_way_to_the_one_before(registry):
    old, new, _ = registry.ids()
    registry.promote(old)
    registry.promote(new, force=True)
    watch = fed([GOOD] * 100, old)
    feed(watch, [FAILED] * 50, new, 10.0)
    entry = go_back(registry, watch, 15.0)
    assert (entry["what"], entry["who"], entry["from"], entry["to"]) == ("rollback", "watch", new, old)
    assert "50 of the last 50 answers" in entry["why"]
    assert registry.aliases().live == old
    assert go_back(registry, watch, 16.0) is None  # and nothing goes to and fro


def test_a_bad_canary_ends_and_the_live_version_stays(registry):
    old, new, last = registry.ids()
    registry.promote(old)
    registry.promote(new, force=True)
    registry.canary(last, 0.1, force=True)
    watch = fed([GOOD] * 100, new)
    feed(watch, [EMPTY] * 30, last)
    assert go_back(registry, watch, 10.0)["what"] == "end canary"
    assert registry.aliases().canary is None
    assert registry.aliases().live == new
    assert go_back(registry, watch, 10.0) is None


def test_without_a_version_before_nothing_moves(registry):
    registry.promote(registry.ids()[0])
    assert go_back(registry, fed([FAILED] * 50, registry.ids()[0]), 5.0) is None
