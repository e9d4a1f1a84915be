"""Requests by minute."""

from palate.serve.pulse import MINUTES, Pulse


def test_requests_are_counted_by_minute_and_forgotten_after_an_hour():
    pulse = Pulse()
    for second, failed in ((0, False), (59, True), (60, False), (185, False)):
        pulse.count(failed=failed, now=second)
    assert pulse.minutes(now=190)[-4:] == [(2, 1), (1, 0), (0, 0), (1, 0)]
    assert len(pulse.minutes(now=190)) == MINUTES
    assert pulse.minutes(now=3600)[0] == (1, 0)
    assert pulse.minutes(now=8000) == [(0, 0)] * MINUTES
