"""Damaged files: every problem is named by place, column, value and fix, and only bad rows are put aside."""

import contextlib
import csv
import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from palate.data.check import check
from palate.data.dataset import Dataset
from palate.data.read import read
from palate.errors import DataError, PalateError

EVENTS = b"""user_id,item_id,time,value,text
u1,bread,1700000000,5,good
,bread,1700000001,5,a
u1,,1700000002,5,b
u1,bread,yesterday,5,c
u1,bread,-5,5,d
u1,bread,1700000003000000,5,e
u1,bread,1700000004,five,f
u1,bread,1700000005,inf,g
u1,cake,1700000006,5,h
u1,bread,1700000007,5
u1,bread,1700000008,5,"two
lines",too many
u2,tea,1700000009,4,"two
lines, ""quoted"" too"
u1,bread,1700000010,5,be\x07ll
u2,bread,1700000011,5,"x"y
u2,bread,1700000012,5,"never closed
u2,bread,1700000013,3,fine
"""
ITEMS = b"""item_id,title
bread,Bread
tea,\xe8\x8c\xb6\xe8\x8c\xb6\xe8\x8c\xb6
bread,Bread again
ham,H\xffm
"""

FIELDS = ("has not as many fields as the header", "quote fields that hold the separator")
QUOTES = ("has a quote that does not close as it should", "double every quote in a quoted field")
NO_ID = ("is empty", "give the row an id or remove it")
NO_NUMBER = ("is not a finite number", "use a plain number such as 4 or 3.5")
EXPECTED = [  # file and line, column, value, message, fix
    ("events.csv:3", "user_id", "", *NO_ID),
    ("events.csv:4", "item_id", "", *NO_ID),
    ("events.csv:5", "time", "yesterday", "is not a time", "use seconds, milliseconds or ISO 8601"),
    ("events.csv:6", "time", "-5", "lies before 1970", "correct it; negative times are not read"),
    ("events.csv:7", "time", "1700000003000000", "lies in the future", "correct the clock or the unit"),
    ("events.csv:8", "value", "five", *NO_NUMBER),
    ("events.csv:9", "value", "inf", *NO_NUMBER),
    ("events.csv:10", "item_id", "cake", "is not in the items table", "add the item there or remove the event"),
    ("events.csv:11", "row", "u1,bread,1700000007,5", *FIELDS),
    ("events.csv:12", "row", 'u1,bread,1700000008,5,"two\nlines",too many', *FIELDS),
    ("events.csv:16", "text", "be\x07ll", "holds a control character", "remove it"),
    ("events.csv:17", "row", 'u2,bread,1700000011,5,"x"y', *QUOTES),
    ("events.csv:18", "row", 'u2,bread,1700000012,5,"never closed', *QUOTES),
    ("items.csv:4", "item_id", "bread", "stands in an earlier row too", "keep one row for each id"),
    ("items.csv:5", "title", "H\ufffdm", "holds bytes that its encoding does not have", "save the file as UTF-8"),
]


@pytest.fixture
def damaged(tmp_path):
    (tmp_path / "events.csv").write_bytes(EVENTS)
    (tmp_path / "items.csv").write_bytes(ITEMS)
    return tmp_path


def test_twelve_kinds_of_damage_give_twelve_clear_messages(damaged):
    found = check(damaged)
    told = [(one.place, one.column, one.value, one.message, one.fix) for one in found.problems]
    assert told == [(f"{damaged}/{place}", *rest) for place, *rest in EXPECTED]
    assert len({one.kind for one in found.problems}) >= 10
    assert not found.ok


def test_the_refusal_lists_every_problem_on_one_line_each(damaged):
    with pytest.raises(DataError) as refusal:
        read(damaged)
    lines = str(refusal.value).splitlines()
    assert lines[0] == f"{len(EXPECTED)} problems"
    told = 'events.csv:5: time "yesterday" is not a time; use seconds, milliseconds or ISO 8601'
    assert lines[3] == f"  {damaged}/{told}"
    assert lines[-1] == 'mend them, or read the good rows only with bad_rows="quarantine"'
    assert len(lines) == len(EXPECTED) + 2


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
def test_quarantine_holds_exactly_the_bad_rows_with_their_text(damaged, suffix):
    path = damaged / f"bad{suffix}"
    data = read(damaged, bad_rows="quarantine", quarantine=path)
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    else:
        with path.open(encoding="utf8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="," if suffix == ".csv" else "\t"))
    assert [f"{row['file']}:{row['line']}" for row in rows] == [f"{damaged}/{place}" for place, *_ in EXPECTED]
    assert rows[2]["record"] == "u1,bread,yesterday,5,c"
    assert rows[9]["record"] == 'u1,bread,1700000008,5,"two\nlines",too many'
    assert rows[2]["reason"] == "is not a time; use seconds, milliseconds or ISO 8601"
    assert data.events.text == ("good", 'two\nlines, "quoted" too', "fine")
    assert data.items.title == ("Bread", "茶茶茶")
    assert any(f"{path}: {len(EXPECTED)} bad rows put aside" in note for note in data.notes)


def test_a_row_with_two_faults_is_put_aside_once_with_both_reasons(tmp_path):
    path = tmp_path / "bad.jsonl"
    frame = pl.DataFrame({"user_id": ["", "u"], "item_id": ["i", "i"], "time": ["soon", "1"]})
    read(events=frame, bad_rows="quarantine", quarantine=path)
    [row] = [json.loads(line) for line in path.read_text("utf8").splitlines()]
    assert (row["column"], row["value"]) == ("user_id", "")
    assert row["reason"].startswith("is empty; give the row an id or remove it | time is not a time")
    assert json.loads(row["record"]) == {"user_id": "", "item_id": "i", "time": "soon"}


def test_a_sound_shop_writes_no_quarantine(tmp_path):
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"]})
    read(events=frame, bad_rows="quarantine", quarantine=tmp_path / "bad.jsonl")
    assert not (tmp_path / "bad.jsonl").exists()


def test_a_quarantine_that_cannot_be_written_says_so(tmp_path):
    frame = pl.DataFrame({"user_id": ["", "u"], "item_id": ["i", "i"]})
    with pytest.raises(DataError, match=r"cannot be written .* choose another quarantine file"):
        read(events=frame, bad_rows="quarantine", quarantine=tmp_path / "absent" / "bad.jsonl")


@pytest.mark.parametrize(
    ("name", "raw", "complaint"),
    [
        pytest.param("events.csv", b"", "events.csv: holds nothing; write a header", id="empty"),
        pytest.param("events.csv", b" \n\n", "events.csv: holds nothing", id="blank"),
        pytest.param("events.csv", b"\xff\xfe", "events.csv: holds nothing", id="mark-only"),
        pytest.param("events.csv", b"user_id,item_id\n", "events.csv: holds no rows", id="header-only"),
        pytest.param("events.csv", b"user_id,item_id", "events.csv: holds no rows", id="header-without-end"),
        pytest.param(
            "events.csv", b"user_id,kind,kind\nu,i,j\n", 'events.csv:1: column "kind" stands twice', id="twice"
        ),
        pytest.param(
            "events.csv", b'"user_id,item_id\nu,i\n', r"events.csv:1: header .* has a quote", id="header-quote"
        ),
        pytest.param(
            "events.csv", b"user_id,item_id\n,i\n", "events.csv: holds no row that can be used", id="none-good"
        ),
        pytest.param("events.jsonl", b"", "events.jsonl: holds nothing", id="empty-jsonl"),
        pytest.param("events.jsonl", b"[1]\n{]\n", r'events.jsonl:1: row "\[1\]" is not a JSON object', id="no-object"),
        pytest.param("events.parquet", b"PAR1 nothing", "events.parquet: cannot be read; it is no sound", id="parquet"),
        pytest.param("events.xls", b"x", "events.xls: cannot be read; known endings are .csv, .tsv", id="ending"),
    ],
)
@pytest.mark.parametrize("bad_rows", ["refuse", "quarantine"])
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, name, raw, complaint, bad_rows):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(DataError, match=complaint):
        read(events=path, bad_rows=bad_rows, quarantine=tmp_path / "bad.jsonl")


def test_a_missing_file_says_why(tmp_path):
    with pytest.raises(DataError, match=r"absent.csv: cannot be read; No such file or directory"):
        read(events=tmp_path / "absent.csv")


def test_json_lines_name_the_line_of_a_bad_object(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"user_id": "u", "item_id": 1}\n\n{"user_id": "u"\n{"user_id": "u", "item_id": "\\ud800"}\n')
    found = check(events=path)
    assert [(one.line, one.kind) for one in found.problems] == [(3, "not JSON"), (4, "undecodable bytes")]
    assert found.n_events == 1


def test_many_problems_are_counted_and_the_first_shown():
    frame = pl.DataFrame({"user_id": ["u"] * 500, "item_id": ["i"] * 500, "time": ["?"] * 499 + ["5"]})
    with pytest.raises(DataError) as refusal:
        read(events=frame)
    lines = str(refusal.value).splitlines()
    assert lines[0] == "499 problems"
    assert lines[1] == '  events[0]: time "?" is not a time; use seconds, milliseconds or ISO 8601'
    assert lines[21] == "all: 499 bad time"
    found = check(events=frame)
    assert (len(found.problems), found.counts, found.n_events) == (20, {"bad time": 499}, 1)


def test_broken_records_are_counted_together(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title\n" + "1\n" * 300 + "2,x\n")
    found = check(tmp_path)
    assert (len(found.problems), found.counts) == (20, {"wrong number of fields": 300})


def test_warnings_do_not_stop_reading(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,title,tags\n1,,food\n2,,\n3,Ham,\n")
    found = check(tmp_path)
    assert found.ok
    assert [(one.line, one.kind, one.severity) for one in found.problems] == [
        (2, "empty title", "warning"),
        (3, "item without text", "warning"),
    ]
    assert read(tmp_path).items.title == ("1", "2", "Ham")


def test_findings_are_plain_json_and_lines(damaged):
    found = check(damaged)
    assert json.loads(json.dumps(found.to_json()))["problems"][2]["line"] == 5
    assert found.lines()[2].startswith(f'error: {damaged}/events.csv:5: time "yesterday"')
    assert found.lines()[-1] == "2 users, 2 items, 3 events can be used; to be mended"


# Titles and ids of any text: all but half surrogate pairs (no file holds them) and control characters.
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)
lines = st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t\r")
titles = st.text(lines, min_size=1).filter(str.strip)
calm = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@calm
@given(st.dictionaries(words.map(str.strip), titles, min_size=1), st.sampled_from(",;\t|"), st.booleans())
def test_whatever_python_writes_as_csv_is_read_back(tmp_path, catalogue, separator, quote_all):
    path = tmp_path / ("items.tsv" if separator == "\t" else "items.csv")
    with path.open("w", encoding="utf8", newline="") as file:
        style = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=separator, quoting=style)
        writer.writerows([("item_id", "title"), *catalogue.items()])
    data = read(items=path)
    assert dict(zip(data.items.ids.ids, data.items.title, strict=True)) == catalogue


@calm
@given(
    st.binary(max_size=200) | st.text(st.sampled_from('ui1,";\t\r\n\0é{}:[]"'), max_size=200).map(str.encode),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
    st.booleans(),
)
def test_no_bytes_whatsoever_cause_anything_but_a_palate_error(tmp_path, raw, suffix, headed):
    path = tmp_path / f"events{suffix}"
    heads = {".csv": b"user_id,item_id,time\n", ".tsv": b"user_id\titem_id\ttime\n", ".jsonl": b"", ".parquet": b"PAR1"}
    path.write_bytes((heads[suffix] if headed else b"") + raw)
    for bad_rows in ("refuse", "quarantine"):
        with contextlib.suppress(PalateError):
            assert isinstance(read(events=path, bad_rows=bad_rows, quarantine=tmp_path / "bad.jsonl"), Dataset)
