"""TALLRec's rows: equal to the published ones, evidence from a row's own history alone, rules by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.asked import prompts
from benchmarks.evidence import asked_pairs, film_texts, item_rate, liked_share, person_text, told_pairs, told_rate
from benchmarks.sets.tallrec import HISTORY, Asked, Films, tallrec
from benchmarks.tallrec import judged, weights
from benchmarks.taste import Window

from benchmarks import labelled
from palate.errors import DataError
from palate.metrics.accuracy import auc, uauc

DATA = Path(__file__).parents[3] / "shared" / "data"
FILMS = Films(("1", "2", "3"), ("Alien", "Brazil", "Clue"), (("Sci-Fi",), ("Comedy", "Sci-Fi"), ()))


@pytest.fixture(scope="module")
def protocol():
    if not (DATA / "tallrec-movie").is_dir():
        pytest.skip(f"{DATA}: no data; rows can only be compared with the published ones where these are")
    return tallrec(DATA)


def prompt(films: Films, rows: Asked, row: int) -> tuple[str, str]:
    """The row as TALLRec writes it."""
    good, bad = (
        ", ".join(f'"{films.title[film]}"' for film in rows.before[row][rows.before_liked[row] == liked])
        for liked in (True, False)
    )
    asked = f'Whether the user will like the target movie "{films.title[rows.item[row]]}"?'
    return f"User Preference: {good}\nUser Unpreference: {bad}\n{asked}", "Yes." if rows.liked[row] else "No."


@pytest.mark.parametrize("part", ["valid", "test"])
def test_rebuilt_rows_are_the_published_ones(protocol, part):
    published = json.loads((DATA / "tallrec-movie" / f"{part}.json").read_text(encoding="utf8"))
    rows = getattr(protocol, part)
    rebuilt = [prompt(protocol.films, rows, row) for row in range(len(rows))]
    assert rebuilt == [(row["input"], row["output"]) for row in published]


def test_train_ends_where_validation_begins(protocol):
    assert (len(protocol.train), len(protocol.valid), len(protocol.test)) == (8000, 1000, 1000)
    assert protocol.train.user[-1] in (protocol.valid.user[0], protocol.valid.user[0] - 1)
    assert len(np.unique(protocol.test.user)) == 16


def test_the_liked_share_has_its_known_auc(protocol):
    rows, share = protocol.test, liked_share(protocol.test)
    assert auc(rows.liked, share) == pytest.approx(0.726, abs=5e-4)
    assert uauc(rows.user, rows.liked, share) == pytest.approx(0.541, abs=5e-4)


def test_without_the_files_the_way_out_is_named(tmp_path):
    with pytest.raises(DataError, match=r"ml-100k.item: missing; the rows of TALLRec are rebuilt from MovieLens"):
        tallrec(tmp_path)


def rows(*each) -> Asked:
    """(user, film, liked, films before, likes before)"""
    user, item, liked, before, likes = zip(*each, strict=True)
    return Asked(
        np.array(user, np.int32),
        np.array(item, np.int32),
        np.array(liked),
        np.array(before, np.int32),
        np.array(likes, np.bool_),
    )


def test_shots_are_the_same_by_seed_and_grow():
    many = rows(*[(at, 0, True, [1], [True]) for at in range(50)])
    few, more = many.shots(8, seed=1), many.shots(16, seed=1)
    assert (more.user[:8] == few.user).all()
    assert len(np.unique(more.user)) == 16
    assert (many.shots(8, seed=2).user != few.user).any()


def test_a_person_is_counted_in_their_own_history():
    before, liked = np.array([0, 1], np.int32), np.array([True, False])
    told = person_text(FILMS, before, liked, 1, titles=False)
    assert told == "Liked 1 of 2 films. Comedy: liked 0 of 1. Sci-Fi: liked 1 of 2."
    assert person_text(FILMS, before[:1], liked[:1], 1, titles=True).endswith(
        "Comedy: none seen. Sci-Fi: liked 1 of 1. Liked Alien."
    )
    assert film_texts(FILMS) == ("Alien. Sci-Fi", "Brazil. Comedy, Sci-Fi", "Clue")


def test_the_label_of_a_row_is_not_in_its_texts():
    yes, no = (asked_pairs(FILMS, rows((0, 2, label, [0, 1], [True, False])), titles=True) for label in (True, False))
    assert yes.people == no.people
    assert (yes.prior == no.prior).all()
    assert yes.labels != no.labels


def test_every_film_of_a_row_is_told_with_those_before_it_and_once_a_person():
    films = Films(tuple("abcdef"), tuple("ABCDEF"), ((),) * 6)
    first = (0, 5, True, [0, 1, 2, 3, 4], [True, True, False, False, False])
    later = (0, 5, True, [1, 2, 3, 4, 0], [True, False, False, False, True])
    told = told_pairs(films, rows(first, later), titles=False)
    assert [text[:1] for text in told.items] == ["A", "E", "F"]  # A and E after four films, F after five
    assert told.people == [f"Liked {n} of {of} films." for n, of in ((1, 4), (2, 4), (2, 5))]
    assert told.labels.tolist() == [1, 0, 1]
    assert told.prior == pytest.approx(np.log([2 / 4, 3 / 3, 3 / 4]))


def test_rules_by_hand():
    train = rows((0, 0, True, [2], [True]), (0, 1, False, [0], [True]), (1, 0, False, [1], [True]))
    asked = rows((7, 0, True, [1], [True]), (7, 2, True, [1], [False]))
    assert liked_share(asked).tolist() == [1, 0]
    assert item_rate(train, asked) == pytest.approx([1 / 2, 1 / 3])  # film 2 is asked of nobody
    # told, each person once: film 0 by 0 and 1: yes, no; film 1 by 0 and 1: no, yes; film 2 by 0: yes
    assert told_rate(train, asked, pull=5.0) == pytest.approx([(1 + 5 * 3 / 5) / 7, (1 + 5 * 3 / 5) / 6])


def test_runs_are_averaged_and_set_against_the_rule():
    asked = rows(*[(user, 0, bool(at), [0], [True]) for user in range(6) for at in range(2)])
    right, level = asked.liked.astype(np.float32), np.zeros(12, np.float32)
    found = judged([right, level], asked, best=level)
    assert found["auc"]["mean"] == pytest.approx(0.75)
    assert found["auc over liked share"]["low"] == pytest.approx(0.25)
    assert found["uauc over liked share"]["mean"] == pytest.approx(0.25)
    assert found["auc between"] == pytest.approx(np.std([1, 0.5], ddof=1))
    assert judged([right], asked)["auc between"] is None


def test_a_window_ends_with_the_film_asked_about():
    window = Window.of(rows((0, 2, True, [0, 1], [True, False])))
    assert window.item.tolist() == [[0, 1, 2]]
    assert window.liked.tolist() == [[1, 0, 1]]
    assert HISTORY == 10


def test_the_section_has_models_rules_and_what_others_published(tmp_path):
    assert labelled.section(tmp_path) == []
    asked = rows(*[(user, 0, bool(at), [0], [True]) for user in range(6) for at in range(2)])
    right, level = asked.liked.astype(np.float32), np.zeros(12, np.float32)
    cost = {"fit_s": 1.0, "peak_mb": 400.0, "trainable": 1389}
    model = {"model": "m", "shots": 16, "seeds": [0, 1], **judged([right, right], asked, best=level), **cost}
    found = {"rules": {"level": judged([level], asked)}, "summary": [model]}
    (tmp_path / "tallrec.json").write_text(json.dumps(found))
    (text,) = labelled.section(tmp_path)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert (
        lines[1]
        == "| **m** | 16 | 100.0 [100.0, 100.0] | 0.0 (2) | 100.0 [100.0, 100.0] | 0.0 (2) | 1.0 | 400 | 1,389 |"
    )
    assert lines[2].startswith("| TALLRec, LLaMA-7B with LoRA (published) | 256 | 71.98 |")
    assert len({line.count("|") for line in lines}) == 1
    assert "m, 16 shots, less the liked share: AUC +50.0 [+50.0, +50.0], UAUC +50.0 [+50.0, +50.0]." in text


def test_a_language_model_is_asked_with_counts_and_titles():
    rows = Asked(
        user=np.array([0], np.int32),
        item=np.array([2], np.int32),
        liked=np.array([True]),
        before=np.array([[0, 1]], np.int32),
        before_liked=np.array([[True, False]]),
    )
    person = "Liked 1 of 2 films. Liked Alien. Disliked Brazil."
    assert prompts(asked_pairs(FILMS, rows, titles=True)) == [
        f"{person}\nWould they like this one?\nClue\nAnswer Yes or No."
    ]


def test_a_column_that_tells_nothing_is_not_heard():
    rng = np.random.default_rng(0)
    liked = rng.random(400) < 0.5
    told = np.stack([1e3 * rng.normal(size=400), np.where(liked, 1.0, -1.0) + rng.normal(size=400)], axis=1)
    heard, trust = weights(told.astype(np.float32), liked)
    assert 1e3 * heard < 0.2 < 1 < trust
