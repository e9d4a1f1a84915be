"""The fast and the careful way through a delimited file: the same rows from the same file."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palate.data.delimited import _careful, _plain
from palate.data.problems import Ledger
from palate.data.rows import factorise
from palate.data.sorting import time_order
from palate.data.tables import Origin
from palate.data.values import texts

calm = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
fields = st.text(st.sampled_from("01-+. aé太"), min_size=1, max_size=4).filter(str.strip)
ENDS = pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])


@ENDS
@calm
@given(rows=st.lists(st.tuples(fields | st.just(""), fields, fields), min_size=1), last=st.booleans())
def test_both_ways_give_the_same_rows(end, rows, last):
    raw = end.join(map(",".join, [("user_id", "item_id", "time"), *rows])).encode() + end.encode() * last
    origin, ledger = Origin("events.csv"), Ledger()
    fast, careful = _plain("events", raw, {}, origin), _careful("events", raw, origin, ledger)
    assert fast is not None
    assert careful is not None
    assert [texts(column).to_list() for column in fast.frame] == [texts(column).to_list() for column in careful.frame]
    numbers = np.arange(len(rows))
    assert fast.where(numbers)[0].tolist() == careful.where(numbers)[0].tolist()
    assert ledger.reports == []


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        pytest.param("7\n12\n", pl.Int64, id="whole"),
        pytest.param("7\n007\n", pl.String, id="leading-zero"),
        pytest.param("7\n+7\n", pl.String, id="sign"),
        pytest.param("7\n-7\n", pl.Int64, id="negative"),
        pytest.param("7\n-0\n", pl.String, id="negative-zero"),
        pytest.param("7\nx\n", pl.String, id="text"),
        pytest.param("7\n99999999999999999999\n", pl.String, id="too-large"),
    ],
)
@pytest.mark.parametrize("other", ["x", "é"])
def test_ids_are_numbers_only_where_their_text_is_certain(written, kind, other):
    raw = "item_id,title\n" + written.replace("\n", f",{other}\n")
    table = _plain("items", raw.encode(), {}, Origin("items.csv"))
    assert table is not None
    assert table.frame["item_id"].dtype == kind
    assert texts(table.frame["item_id"]).to_list() == written.split()


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'a,b\n"1",2\n', id="quote"),
        pytest.param(b"a,b\n1,2\r3,4\n", id="lone-carriage-return"),
        pytest.param(b"a,b\n1\n", id="short-row"),
        pytest.param(b"a,b\n1,2,3\n", id="long-row"),
        pytest.param(b"a,b\n1,2\n\n3,4\n", id="blank-line"),
        pytest.param(b"a,b\n1,\xff\n", id="not-utf-8"),
        pytest.param(b"a,a\n1,2\n", id="twice"),
        pytest.param(b"a,b\n", id="no-rows"),
        pytest.param(b"a,b", id="header-only"),
    ],
)
def test_an_unusual_file_never_goes_the_fast_way(raw):
    assert _plain("users", raw, {}, Origin("users.csv")) is None


@given(st.lists(st.integers(-50, 50), min_size=1))
def test_whole_number_ids_are_numbered_as_their_texts_are(numbers):
    codes, distinct = factorise(pl.Series(numbers))
    other_codes, other_distinct = factorise(pl.Series(map(str, numbers)))
    assert codes.tolist() == other_codes.tolist()
    assert distinct.to_list() == other_distinct.to_list() == sorted(set(map(str, numbers)))


@given(st.lists(st.floats(0, 2**31) | st.integers(0, 2**31).map(float) | st.sampled_from([0.0, 5.0]), min_size=1))
def test_events_are_ordered_by_time_then_by_place(times):
    assert time_order(np.array(times)).tolist() == sorted(range(len(times)), key=lambda row: (times[row], row))
