import threading
from time import monotonic

import pytest

from palate.errors import OverloadError, UnknownIdError
from palate.serve.asks import FAILED, Ask
from palate.serve.course import STAGES, Expected
from palate.serve.desk import Desk
from palate.serve.state import State
from palate.serve.version import Version
from serve.shop import model

SOON = 60.0


@pytest.fixture
def version():
    return Version("v1", model(), State())


@pytest.fixture
def desk():
    made = Desk(waiting=4, together=8, order=STAGES)
    yield made
    made.close()


def held(version, go):
    """The version, whose answers wait until `go` is set; `begun` is set when one begins to wait."""
    begun, answer = threading.Event(), version.answer

    def waiting(*args):
        begun.set()
        assert go.wait(SOON)
        return answer(*args)

    version.answer = waiting
    return begun


def test_an_ask_is_answered(desk, version):
    listing = desk.submit(version, Ask(user_id="u0"), monotonic() + SOON).result(SOON)
    assert len(listing.items) == 10
    assert {stage for stage, _ in listing.timings} == {"retrieve", "guard"}


def test_what_waits_is_answered_together(desk, version):
    go, sizes = threading.Event(), []
    begun = held(version, go)
    first = desk.submit(version, Ask(user_id="u0"), monotonic() + SOON)
    assert begun.wait(SOON)
    inner = version.answer
    version.answer = lambda asks, *rest: sizes.append(len(asks)) or inner(asks, *rest)
    others = [desk.submit(version, Ask(user_id=f"u{row}"), monotonic() + SOON) for row in (1, 2, 3)]
    go.set()
    assert all(len(one.result(SOON).items) == 10 for one in (first, *others))
    assert sizes == [3]


def test_more_than_may_wait_are_refused_at_once(desk, version):
    go = threading.Event()
    begun = held(version, go)
    desk.submit(version, Ask(), monotonic() + SOON)
    assert begun.wait(SOON)
    futures = [desk.submit(version, Ask(user_id=f"u{row}"), monotonic() + SOON) for row in range(4)]
    with pytest.raises(OverloadError, match="too many requests are waiting"):
        desk.submit(version, Ask(user_id="u9"), monotonic() + SOON)
    go.set()
    assert all(len(one.result(SOON).items) == 10 for one in futures)


def test_what_would_wait_for_more_than_half_of_its_time_is_refused_at_once(desk, version):
    answer, go = version.answer, threading.Event()

    def slow(asks, *rest):
        began = monotonic()
        while monotonic() - began < 0.1 * len(asks):
            pass
        return answer(asks, *rest)

    version.answer = slow
    desk.submit(version, Ask(), monotonic() + SOON).result(SOON)
    assert 0.1 <= desk.wait_s + 0.1 < 0.2  # nobody waits
    version.answer = answer
    begun = held(version, go)
    first = desk.submit(version, Ask(), monotonic() + SOON)
    assert begun.wait(SOON)
    assert desk.wait_s >= 0.1
    with pytest.raises(OverloadError, match="too many requests are waiting"):
        desk.submit(version, Ask(user_id="u1"), monotonic() + 0.15)
    patient = desk.submit(version, Ask(user_id="u1"), monotonic() + SOON)
    go.set()
    assert all(len(one.result(SOON).items) == 10 for one in (first, patient))


def test_an_ask_past_its_deadline_is_dropped(desk, version):
    go = threading.Event()
    begun = held(version, go)
    desk.submit(version, Ask(), monotonic() + SOON)
    assert begun.wait(SOON)
    deadline = monotonic() + 0.05
    late = desk.submit(version, Ask(user_id="u1"), deadline)
    gone = desk.submit(version, Ask(user_id="u2"), monotonic() + SOON)
    gone.cancel()
    while monotonic() < deadline:
        pass
    go.set()
    with pytest.raises(OverloadError, match="deadline"):
        late.result(SOON)
    assert len(desk.submit(version, Ask(user_id="u3"), monotonic() + SOON).result(SOON).items) == 10


def test_a_wrong_ask_spoils_no_other(desk, version):
    go = threading.Event()
    begun = held(version, go)
    desk.submit(version, Ask(), monotonic() + SOON)
    assert begun.wait(SOON)
    wrong = desk.submit(version, Ask(history=("nothing",)), monotonic() + SOON)
    right = desk.submit(version, Ask(history=("i1",)), monotonic() + SOON)
    go.set()
    with pytest.raises(UnknownIdError):
        wrong.result(SOON)
    assert len(right.result(SOON).items) == 10


def test_a_version_that_fails_gives_the_list_for_everybody(desk, version, caplog):
    def broken(*_):
        raise ValueError("bug")

    version.answer = broken
    listing = desk.submit(version, Ask(user_id="u0"), monotonic() + SOON).result(SOON)
    assert listing.degraded == (FAILED,)
    assert len(listing.items) == 10
    assert "could not answer" in caplog.text


def test_a_short_time_leaves_out_what_it_cannot_hold(desk, version):
    expected = desk.expected(version)
    expected.learn({"retrieve": 1.0, "explain": 5000.0})
    listing = desk.submit(version, Ask(user_id="u0", explain=True), monotonic() + 1).result(SOON)
    assert listing.degraded == ("explain_deadline",)
    assert all(not one.reasons for one in listing.items)
    expected.learn({"retrieve": 90_000.0})
    expected.learn({"retrieve": 90_000.0})
    assert desk.submit(version, Ask(user_id="u0"), monotonic() + 1).result(SOON).degraded == ("personal_deadline",)


def test_a_desk_that_is_closed_takes_nothing_more(desk, version):
    waiting = desk.submit(version, Ask(user_id="u0"), monotonic() + SOON)
    desk.close()
    assert len(waiting.result(SOON).items) == 10
    with pytest.raises(OverloadError, match="stopping"):
        desk.submit(version, Ask(user_id="u1"), monotonic() + SOON)


def test_stages_are_given_up_in_order():
    expected = Expected()
    expected.learn({"retrieve": 10.0, "trees": 20.0, "cross-encoder": 100.0, "explain": 40.0})
    everything = ("retrieve", "trees", "cross-encoder", "explain")
    assert expected.left_out(200.0, everything, STAGES) == ()
    assert expected.left_out(140.0, everything, STAGES) == ("explain",)
    assert expected.left_out(60.0, everything, STAGES) == ("explain", "cross-encoder")
    assert expected.left_out(60.0, everything, ("cross-encoder", "explain")) == ("cross-encoder", "explain")
    assert expected.left_out(5.0, everything, STAGES) is None


def test_a_stage_that_was_slow_once_is_tried_again():
    expected = Expected()
    expected.learn({"retrieve": 1.0, "cross-encoder": 10_000.0})
    tries = 0
    while expected.left_out(100.0, ("retrieve", "cross-encoder"), STAGES):
        tries += 1
        assert tries < 1000
    assert tries > 10
