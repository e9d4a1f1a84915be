"""From files and frames to a Dataset: hand-written files, every row looked at."""

import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from palate.data.dataset import Dataset
from palate.data.read import read
from palate.errors import ConfigError, DataError


def shop(folder: Path, **texts: str | bytes) -> Path:
    """A folder with the given files; events_csv="..." makes events.csv."""
    for name, text in texts.items():
        stem, _, suffix = name.rpartition("_")
        raw = text if isinstance(text, bytes) else text.encode()
        (folder / f"{stem}.{suffix}").write_bytes(raw)
    return folder


def log(data: Dataset) -> list[tuple[str, str, float, float]]:
    """The events as (user id, item id, time, value)."""
    users, items = data.users.ids.names(data.events.user), data.items.ids.names(data.events.item)
    return list(zip(users, items, data.events.time.tolist(), data.events.value.tolist(), strict=True))


@pytest.fixture
def tokyo(monkeypatch):
    """The machine stands in Tokyo, which must not matter."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def test_a_folder_of_three_tables_becomes_a_dataset(tmp_path):
    shop(
        tmp_path,
        events_csv="user_id,item_id,time,value,kind\nu2,b,20,5,buy\nu1,a,30,1,view\nu1,b,10,4,buy\n",
        items_csv="item_id,title,description,tags,price,image\nb,Bread,Fresh,food|baked,2.50,b.png\na,Apple,,food,1,\n",
        users_csv="user_id,text,city\nu2,I bake,Ulm\nu1,,Bonn\n",
    )
    data = read(tmp_path)
    assert data.items.ids.ids == ("b", "a")  # the order of the table
    assert data.items.title == ("Bread", "Apple")
    assert data.items.description == ("Fresh", "")
    assert data.items.tags == ("food, baked", "food")
    assert data.items.attributes == {"price": ("2.50", "1"), "image": ("b.png", "")}
    assert data.users.ids.ids == ("u2", "u1")
    assert data.users.text == ("I bake", "")
    assert data.users.attributes == {"city": ("Ulm", "Bonn")}
    assert log(data) == [("u2", "b", 20.0, 5.0), ("u1", "b", 10.0, 4.0), ("u1", "a", 30.0, 1.0)]
    assert data.events.kind == ("buy", "buy", "view")
    assert data.events.liked.tolist() == [True, True, False]  # 1 + 0.7 * (5 - 1) = 3.8, so 4 and more


@pytest.mark.parametrize("name", ["events.csv", "events.tsv", "events.jsonl", "events.parquet"])
def test_ids_stay_text_in_every_format(tmp_path, name):
    path = tmp_path / name
    frame = pl.DataFrame({"user_id": ["007", "7"], "item_id": ["1e3", "1.0"], "time": [1, 2]})
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".tsv":
            frame.write_csv(path, separator="\t")
        case ".jsonl":
            frame.write_ndjson(path)
        case _:
            frame.write_parquet(path)
    assert log(read(events=path)) == [("007", "1e3", 1.0, 1.0), ("7", "1.0", 2.0, 1.0)]


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame])
def test_whole_numbers_as_ids_become_their_decimals(make):
    data = read(events=make({"user_id": [7, 12], "item_id": [3.0, 4.0], "time": [1, 2]}))
    assert log(data) == [("12", "4", 2.0, 1.0), ("7", "3", 1.0, 1.0)]


def test_an_id_that_is_no_whole_number_is_refused():
    with pytest.raises(DataError, match=r'events\[1\]: item_id "3.5" is not a whole number'):
        read(events=pl.DataFrame({"user_id": ["a", "b"], "item_id": [3.0, 3.5]}))


def test_pandas_and_polars_give_the_same_dataset_and_are_remembered():
    columns = {
        "user_id": ["a", "b", "a"],
        "item_id": [1, 2, 3],
        "time": ["2024-01-01", "2024-01-02", "2024-01-03"],
        "value": [1.0, 2.0, 2.0],
        "text": ["good", None, "bad"],
    }
    items = {
        "item_id": [1, 2, 3],
        "title": ["x", "y", "z"],
        "tags": [["p", "q"], [], ["r"]],
        "year": [1990, None, 2001],
    }
    one = read(events=pl.DataFrame(columns), items=pl.DataFrame(items))
    two = read(events=pd.DataFrame(columns), items=pd.DataFrame(items))
    assert one.fingerprint() == two.fingerprint()
    assert (one.frame, two.frame) == ("polars", "pandas")
    assert two.items.tags == ("p, q", "", "r")
    assert two.items.attributes == {"year": ("1990", "", "2001")}


@pytest.mark.parametrize(
    ("written", "seconds", "said"),
    [
        pytest.param("1700000000", 1_700_000_000.0, "seconds since 1970", id="seconds"),
        pytest.param("1700000000.5", 1_700_000_000.5, "seconds since 1970", id="fraction"),
        pytest.param("1700000000500", 1_700_000_000.5, "milliseconds since 1970", id="milliseconds"),
        pytest.param("1700000000500000", 1_700_000_000.5, "microseconds since 1970", id="microseconds"),
        pytest.param("1970-01-02", 86_400.0, "ISO 8601", id="date"),
        pytest.param("1970-01-01T01:00:00Z", 3_600.0, "ISO 8601", id="Z"),
        pytest.param("1970-01-01 03:00:00.250+02:00", 3_600.25, "ISO 8601", id="zone-and-fraction"),
        pytest.param("1970-01-01T00:00:10", 10.0, "in UTC where no zone is given", id="naive"),
    ],
)
@pytest.mark.usefixtures("tokyo")
def test_times_become_unix_seconds_and_how_is_said(tmp_path, written, seconds, said):
    data = read(events=shop(tmp_path, events_csv=f"user_id,item_id,time\nu,i,{written}\n") / "events.csv")
    assert data.events.time.tolist() == [seconds]
    assert any("time is read as" in note and said in note for note in data.notes)


def test_times_of_frames_keep_their_zone():
    zoned = pl.Series("time", ["1970-01-01T00:00:00"]).str.to_datetime(time_zone="Etc/GMT-1").alias("time")
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "time": zoned.dt.offset_by("2h")})
    assert read(events=frame).events.time.tolist() == [3_600.0]  # 02:00 in a zone one hour ahead of UTC


def test_an_order_column_is_the_clock_where_there_are_no_times(tmp_path):
    data = read(shop(tmp_path, events_tsv="user_id\titem_id\tposition\nu\tb\t2\nu\ta\t1\n"))
    assert data.events.clock == "order"
    assert data.items.ids.names(data.events.item) == ["a", "b"]


def test_a_log_without_clock_keeps_its_own_order_and_repeats(tmp_path):
    data = read(shop(tmp_path, events_csv="user_id,item_id\nu,b\nu,a\nu,b\n"))
    assert data.events.clock == "none"
    assert data.items.ids.names(data.events.item) == ["b", "a", "b"]


def test_an_exact_repeat_counts_once_and_is_said(tmp_path):
    text = "user_id,item_id,time,value\nu,a,1,5\nu,b,1,5\nu,a,1,5\nu,a,1,4\n"
    data = read(shop(tmp_path, events_csv=text))
    assert log(data) == [("u", "a", 1.0, 5.0), ("u", "b", 1.0, 5.0), ("u", "a", 1.0, 4.0)]
    assert any(':4: item_id "a" repeats an earlier event' in note for note in data.notes)


@pytest.mark.parametrize(
    ("values", "option", "liked"),
    [
        pytest.param([1, 2, 3, 4, 5], None, [4, 5], id="ratings"),
        pytest.param([0.5, 3.5, 4.0, 5.0], None, [4.0, 5.0], id="half-stars"),
        pytest.param([3, 3, 3], None, [3, 3, 3], id="one-value"),
        pytest.param([1, 1, 1, 1, 1, 2, 5], None, [1, 1, 1, 1, 1, 2, 5], id="too-few-would-be-liked"),
        pytest.param(list(range(21)), None, list(range(21)), id="weights"),
        pytest.param([1, 2, 3, 4, 5], 3, [3, 4, 5], id="option"),
    ],
)
def test_what_is_liked_follows_the_rule_or_the_option(values, option, liked):
    frame = pl.DataFrame({"user_id": "u", "item_id": [f"i{n}" for n in range(len(values))], "value": values})
    data = read(events=frame, liked=option)
    assert data.events.value[data.events.liked].tolist() == liked
    assert sum(note.startswith("liked:") for note in data.notes) == 1


@pytest.mark.parametrize(
    ("encode", "title"),
    [
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), "静かな 星, 太空", id="utf-8-with-mark"),
        pytest.param(lambda text: text.encode(), "静かな 星, 太空", id="utf-8"),
        pytest.param(lambda text: text.encode("utf-16"), "静かな 星, 太空", id="utf-16"),
        pytest.param(lambda text: text.encode("latin-1"), "Café Müller", id="latin-1"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), "太空", id="crlf"),
    ],
)
def test_titles_survive_every_encoding(tmp_path, encode, title):
    data = read(shop(tmp_path, items_csv=encode(f'item_id,title\n007,"{title}"\n8,x\n')))
    assert data.items.title == (title, "x")
    assert data.items.ids.ids == ("007", "8")


def test_latin_1_is_said(tmp_path):
    data = read(shop(tmp_path, items_csv="item_id,title\n1,Café\n".encode("latin-1")))
    assert any("was read as Latin-1" in note for note in data.notes)


def test_one_broken_byte_does_not_garble_chinese_titles(tmp_path):
    raw = "item_id,title\n1,太空飞船\n2,caf".encode() + b"\xe9\n"
    shop(tmp_path, items_csv=raw)
    with pytest.raises(DataError, match=r"items.csv:3: title .* holds bytes"):
        read(tmp_path)
    data = read(tmp_path, bad_rows="quarantine", quarantine=tmp_path / "q.jsonl")
    assert data.items.title == ("太空飞船",)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    text = "user_id,item_id,time\nu,i,1\n".replace(",", separator)
    assert log(read(shop(tmp_path, events_csv=text))) == [("u", "i", 1.0, 1.0)]


def test_recbole_files_are_read_as_they_are(tmp_path):
    shop(
        tmp_path,
        ml_inter="user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t5\t30\n1\t3\t1\t20\n",
        ml_item="item_id:token\tmovie_title:token_seq\n2\tToy Story\n3\tHeat\n",
    )
    data = read(tmp_path)
    assert log(data) == [("1", "3", 20.0, 1.0), ("1", "2", 30.0, 5.0)]
    assert data.items.title == ("Toy Story", "Heat")


def test_palate_toml_maps_files_columns_and_liking(tmp_path):
    settings = """
        [files]
        events = "clicks.csv"
        [events]
        user_id = "who"
        item_id = "what"
        value = "stars"
        [data]
        liked = 2
    """
    shop(tmp_path, clicks_csv="who,what,stars,score\nu,i,1,9\nu,j,2,9\n", palate_toml=settings)
    data = read(tmp_path)
    assert data.events.liked.tolist() == [False, True]
    assert read(tmp_path, liked=1).events.liked.tolist() == [True, True]  # the caller's word counts most


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param("[file]\n", r"palate.toml.file: unknown; known: files, data", id="section"),
        pytest.param('[events]\nuser = "x"\n', r"palate.toml: events.user: unknown", id="part"),
        pytest.param('[data]\nliked = "4"\n', r"liked: '4' is not a number", id="type"),
        pytest.param("[[[", r"palate.toml: ", id="no-toml"),
        pytest.param("files = 3\n", r"files: is no section", id="no-section"),
    ],
)
def test_a_wrong_setting_names_its_place(tmp_path, settings, complaint):
    shop(tmp_path, events_csv="user_id,item_id\nu,i\n", palate_toml=settings)
    with pytest.raises(ConfigError, match=complaint):
        read(tmp_path)


def test_two_columns_for_one_part_ask_for_a_choice(tmp_path):
    path = shop(tmp_path, events_csv="user_id,item_id,rating,score\nu,i,1,2\n") / "events.csv"
    with pytest.raises(
        DataError, match=r'value "rating, score" could come .* choose with columns=\{"events": \{"value"'
    ):
        read(events=path)
    assert read(events=path, columns={"events": {"value": "score"}}).events.value.tolist() == [2.0]
    assert read(events=path, columns={"events": {"value": ""}}).events.value.tolist() == [1.0]


def test_a_column_that_is_not_there_is_named(tmp_path):
    path = shop(tmp_path, events_csv="who,item_id\nu,i\n") / "events.csv"
    with pytest.raises(DataError, match=r"events.csv:1: user_id is missing; there are who, item_id: choose with"):
        read(events=path)
    with pytest.raises(DataError, match=r'user_id "whom" is missing'):
        read(events=path, columns={"events": {"user_id": "whom"}})
    with pytest.raises(ConfigError, match=r"columns.events.users: unknown column; known: user_id"):
        read(events=path, columns={"events": {"users": "who"}})


def test_two_files_for_one_table_ask_for_a_choice(tmp_path):
    shop(tmp_path, events_csv="user_id,item_id\nu,i\n", events_tsv="user_id\titem_id\nu\ti\n")
    with pytest.raises(DataError, match=r"events could be events.csv, events.tsv; choose with \[files\]"):
        read(tmp_path)


def test_the_order_of_the_rows_does_not_matter(tmp_path):
    rows = [f"u{n % 7},i{n % 11},{1000 + n * 37 % 101},{n % 5}" for n in range(100)]
    prints = set()
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        path = shop(tmp_path, events_csv="user_id,item_id,time,value\n" + "\n".join(rows) + "\n") / "events.csv"
        prints.add(read(events=path).fingerprint())
    assert len(prints) == 1


def test_events_at_one_time_keep_the_order_of_the_log(tmp_path):
    data = read(shop(tmp_path, events_csv="user_id,item_id,time\nu,c,5\nv,a,5\nu,a,5\nu,b,5\n"))
    assert [item for user, item, _, _ in log(data) if user == "u"] == ["c", "a", "b"]


def test_row_numbers_without_tables_follow_the_text_of_the_ids(tmp_path):
    data = read(shop(tmp_path, events_csv="user_id,item_id,time\nz,9,1\na,10,2\n"))
    assert data.users.ids.ids == ("a", "z")
    assert data.items.ids.ids == ("10", "9") == data.items.title


def test_a_shop_without_events_is_read(tmp_path):
    data = read(shop(tmp_path, items_jsonl='{"item_id": 7, "title": "x", "tags": ["a", "b"]}\n'))
    assert (data.n_users, data.n_items, len(data.events)) == (0, 1, 0)
    assert data.items.tags == ("a, b",)


def test_a_description_stands_in_for_missing_titles(tmp_path):
    data = read(shop(tmp_path, items_tsv="item_id\ttext\n1\tred nail polish\n2\t\n"))
    assert data.items.title == ("red nail polish", "2")
    assert any("items.tsv:3: text has neither title, description nor tags" in note for note in data.notes)


def test_users_who_are_in_no_table_are_added_and_said(tmp_path):
    shop(tmp_path, events_csv="user_id,item_id\nnew,i\nold,i\nnew,i\n", users_csv="user_id,text\nold,hello\n")
    data = read(tmp_path)
    assert data.users.ids.ids == ("old", "new")
    assert data.users.text == ("hello", "")
    assert any('events.csv:2: user_id "new" is not in the users table' in note for note in data.notes)


def test_spaces_around_ids_are_removed_and_said(tmp_path):
    data = read(shop(tmp_path, events_csv="user_id,item_id\nu, i\nu,i\n"))
    assert data.items.ids.ids == ("i",)
    assert any(':2: item_id " i" has spaces around it' in note for note in data.notes)


def test_a_table_named_by_the_caller_takes_the_place_of_the_file(tmp_path):
    shop(tmp_path, events_csv="user_id,item_id\nu,i\n", items_csv="item_id,title\ni,x\nj,y\n")
    data = read(tmp_path, events=pl.DataFrame({"user_id": ["v"], "item_id": ["j"]}))
    assert log(data) == [("v", "j", 0.0, 1.0)]
    assert data.n_items == 2


def test_a_wrong_folder_or_nothing_at_all_says_what_to_give(tmp_path):
    with pytest.raises(DataError, match="is no folder; give a folder"):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match=r"neither events nor items; name the files events.csv and items.csv"):
        read(tmp_path)
    with pytest.raises(DataError, match="events: dict is no usable frame"):
        read(events={"user_id": []})


def test_liked_without_values_or_out_of_reach_is_refused():
    frame = pl.DataFrame({"user_id": ["u"], "item_id": ["i"], "value": [3]})
    with pytest.raises(DataError, match="liked=4: no event reaches it; values go up to 3"):
        read(events=frame, liked=4)
    with pytest.raises(DataError, match="liked=4: the events have no value to compare with"):
        read(events=frame.drop("value"), liked=4)


def test_arrays_have_the_types_that_stages_expect(tmp_path):
    events = read(shop(tmp_path, events_csv="user_id,item_id,time\nu,i,1\n")).events
    assert [column.dtype for column in (events.user, events.item, events.time, events.value, events.liked)] == [
        np.int32,
        np.int32,
        np.float64,
        np.float32,
        np.bool_,
    ]
