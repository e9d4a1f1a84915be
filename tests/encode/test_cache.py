"""The vector cache: computes once, never lies, survives damage."""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from palate.encode import cache
from palate.encode.cache import remembered, vectors_file
from palate.types import Floats


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("PALATE_CACHE", str(tmp_path))
    return tmp_path


class Counting:
    """Encodes a text as (its length, its first code point) and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> Floats:
        self.asked.append(list(texts))
        return np.array([[len(text), ord(text[0])] for text in texts], np.float32)


def test_a_second_run_computes_nothing():
    first, second = Counting(), Counting()
    texts = ["bb", "a", "流浪", "bb"]
    expected = [[2, 98], [1, 97], [2, 27969], [2, 98]]
    assert remembered("m", texts, first).tolist() == expected
    assert remembered("m", texts, second).tolist() == expected
    assert (first.asked, second.asked) == ([["bb", "a", "流浪"]], [])


def test_only_new_texts_are_computed():
    compute = Counting()
    remembered("m", ["a"], compute)
    remembered("m", ["a", "b"], compute)
    assert compute.asked == [["a"], ["b"]]


def test_models_and_settings_do_not_mix():
    compute = Counting()
    remembered("model one", ["a"], compute)
    remembered("model two", ["a"], compute)
    assert compute.asked == [["a"], ["a"]]


def test_without_keeping_nothing_is_written(folder):
    compute = Counting()
    assert remembered("m", ["a", "a"], compute, keep=False).tolist() == [[1, 97], [1, 97]]
    assert compute.asked == [["a"]]
    assert list(folder.iterdir()) == []


def test_texts_are_not_stored():
    remembered("m", ["a private wish"], Counting())
    assert b"private" not in vectors_file().read_bytes()


def test_a_damaged_vector_is_computed_again(caplog):
    remembered("m", ["a", "b"], Counting())
    with sqlite3.connect(vectors_file()) as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(8) WHERE place = 1")
    connection.close()
    again = Counting()
    assert remembered("m", ["a", "b"], again).tolist() == [[1, 97], [1, 98]]
    assert again.asked == [["a"]]
    assert "1 damaged vectors are computed again" in caplog.text
    remembered("m", ["a", "b"], again)
    assert again.asked == [["a"]]


@pytest.mark.parametrize("damage", ["garbage", "cut", "zeros"])
def test_a_damaged_file_is_started_anew(caplog, damage):
    texts = [f"{number} text" for number in range(500)]
    expected = remembered("m", texts, Counting())
    content = vectors_file().read_bytes()
    middle = len(content) // 2
    damaged = {
        "garbage": b"no database at all" * 500,
        "cut": content[:middle],
        "zeros": content[:4096] + bytes(len(content) - 4096),
    }
    vectors_file().write_bytes(damaged[damage])
    np.testing.assert_array_equal(remembered("m", texts, Counting()), expected)
    assert "damaged" in caplog.text
    silent = Counting()
    remembered("m", texts, Counting())
    np.testing.assert_array_equal(remembered("m", texts, silent), expected)
    assert silent.asked == []


def test_a_folder_that_cannot_be_written_costs_only_time(folder, monkeypatch, caplog):
    (folder / "file").write_text("")
    monkeypatch.setenv("PALATE_CACHE", str(folder / "file" / "below"))
    assert remembered("m", ["a"], Counting()).tolist() == [[1, 97]]
    assert "vectors are not kept this time" in caplog.text


def test_the_oldest_vectors_go_first(monkeypatch):
    monkeypatch.setattr(cache, "MOST", 2)
    for text in "abc":
        remembered("m", [text], Counting())
    again = Counting()
    remembered("m", ["a", "b", "c"], again)
    assert again.asked == [["a"]]


def test_many_texts_are_written_down_block_by_block(monkeypatch):
    monkeypatch.setattr(cache, "_AT_ONCE", 2)
    compute = Counting()
    remembered("m", list("abcde"), compute)
    assert compute.asked == [["a", "b"], ["c", "d"], ["e"]]


WRITER = """
import sys, numpy
from palate.encode.cache import remembered
for number in range(int(sys.argv[1]), int(sys.argv[1]) + 40):
    remembered("m", [f"{number}"], lambda texts: numpy.array([[len(texts[0]), ord(texts[0][0])]], numpy.float32))
"""


def test_processes_share_the_file():
    workers = [subprocess.Popen([sys.executable, "-c", WRITER, start]) for start in ("0", "20")]
    assert [worker.wait() for worker in workers] == [0, 0]
    compute = Counting()
    assert remembered("m", [f"{number}" for number in range(60)], compute)[59].tolist() == [2, 53]
    assert compute.asked == []
