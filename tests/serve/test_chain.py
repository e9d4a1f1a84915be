import hashlib
import json
import threading

import pytest

from palate.errors import StoreError
from palate.serve.chain import Chain

LAST = "three \udc00" + "!" * 100


@pytest.fixture
def chain(tmp_path):
    chain = Chain(tmp_path / "audit.jsonl")
    for what in ("one", "二", LAST):
        chain.append({"what": what})
    return chain


def test_entries_come_back_in_order_each_with_the_hash_of_the_one_before(chain):
    first, second, third = chain.entries()
    assert [first["what"], second["what"], third["what"]] == ["one", "二", LAST]
    assert [one["number"] for one in (first, second, third)] == [1, 2, 3]
    assert first["before"] == ""
    assert [second["before"], third["before"]] == [first["hash"], second["hash"]]
    assert first["hash"] == hashlib.sha256(b'{"before":"","number":1,"what":"one"}').hexdigest()
    assert chain.broken() == ""


@pytest.mark.parametrize(
    ("change", "place"),
    [
        pytest.param(lambda lines: [lines[0], lines[1].replace("二", "2"), lines[2]], 2, id="changed"),
        pytest.param(lambda lines: [lines[0], lines[2]], 2, id="taken-out"),
        pytest.param(lambda lines: [lines[1], lines[0], lines[2]], 1, id="in-another-order"),
        pytest.param(lambda lines: [lines[0], "hello", *lines[1:]], 2, id="put-in"),
    ],
)
def test_what_was_done_to_an_entry_is_found(chain, change, place):
    lines = chain.path.read_text(encoding="utf8").splitlines()
    chain.path.write_text("\n".join(change(lines)) + "\n", encoding="utf8")
    assert f"audit.jsonl:{place}:" in chain.broken()


def test_a_changed_entry_with_its_hash_made_anew_is_found_by_the_next(chain):
    lines = chain.path.read_text(encoding="utf8").splitlines()
    entry = {**json.loads(lines[0]), "what": "nothing"}
    del entry["hash"]
    entry["hash"] = hashlib.sha256(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    chain.path.write_text("\n".join([json.dumps(entry), *lines[1:]]) + "\n", encoding="utf8")
    assert "audit.jsonl:2: entry 2 does not follow" in chain.broken()


@pytest.mark.parametrize("left", [1, 20, -1])
def test_what_a_killed_writer_left_is_cut_off_and_the_chain_goes_on(chain, left):
    whole = chain.path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    chain.path.write_bytes(whole[: -len(last)] + last[:left])
    assert [one["number"] for one in chain.entries()] == [1, 2]
    assert chain.broken() == ""
    chain.append({"what": "again"})
    assert chain.path.read_bytes().endswith(b"}\n")
    assert [one["what"] for one in chain.entries()] == ["one", "二", "again"]
    assert chain.broken() == ""


def test_writers_at_the_same_time_make_one_chain(tmp_path):
    chain = Chain(tmp_path / "audit.jsonl")
    threads = [threading.Thread(target=lambda: [chain.append({"n": n}) for n in range(10)]) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [one["number"] for one in chain.entries()] == list(range(1, 41))
    assert chain.broken() == ""


def test_an_entry_that_is_too_long_is_refused(chain):
    with pytest.raises(StoreError, match="too long"):
        chain.append({"what": "x" * 600_000})
    assert len(list(chain.entries())) == 3


def test_a_file_that_is_no_chain_is_not_written_to(tmp_path):
    (tmp_path / "audit.jsonl").write_text("dear diary\n")
    with pytest.raises(StoreError, match="not an entry"):
        Chain(tmp_path / "audit.jsonl").append({"what": "x"})
