"""Counters to the numbers that the overview shows."""

from math import inf, isnan, nan

import pytest

from palate.serve.console import charts
from palate.serve.console.measures import quantile, stages, traffic
from palate.serve.counters import Counters


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        pytest.param(0.5, 1.0, id="the-end-of-a-bucket"),
        pytest.param(0.25, 0.5, id="half-way-into-the-first"),
        pytest.param(0.75, 2.0, id="half-way-into-the-second"),
        pytest.param(1.0, 3.0, id="above-the-last-bound-is-the-last-bound"),
    ],
)
def test_quantiles_lie_evenly_in_their_bucket(q, expected):
    assert quantile([(1.0, 4.0), (3.0, 8.0), (inf, 8.0)], q) == expected
    assert isnan(quantile([(1.0, 0.0), (inf, 0.0)], q))


def test_traffic_is_counted_by_route_and_kind_of_answer():
    counters = Counters()
    for route, status, n in (("/v1/a", "200", 3), ("/v1/a", "422", 2), ("/v1/a", "503", 1), ("/console/", "200", 9)):
        counters.requests.labels(route, status).inc(n)
    counters.latency.labels("/v1/a").observe(0.004)
    (one,) = traffic(counters)
    assert (one.route, one.answered, one.refused, one.failed, one.all) == ("/v1/a", 3, 2, 1, 6)
    assert one.p50_ms == pytest.approx(3.5)  # half-way from 2 to 5 ms


def test_stages_stand_in_the_order_they_are_gone_through():
    counters = Counters()
    for stage in ("retrieve", "trees", "retrieve"):
        counters.stages.labels(stage).observe(0.001)
    assert [(one.name, one.n) for one in stages(counters)] == [("retrieve", 2), ("trees", 1)]


def test_charts_say_in_words_what_they_draw_and_escape_it():
    drawn = charts.bars([(0, 0), (4, 1)], 'four & "more" <b>')
    assert 'aria-label="four &amp; &#34;more&#34; &lt;b&gt;"' in drawn
    assert drawn.count("<rect") == 2
    assert "nan" not in charts.meter(nan, nan, 0.0, "nothing")
    assert "inf" not in charts.interval(0.0, 0.0, 0.0, (0.0, 0.0), "a point")
