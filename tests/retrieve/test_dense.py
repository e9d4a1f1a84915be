"""Dense text retrieval with an encoder whose vectors are known."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from palate.retrieve import top
from palate.retrieve.dense import Dense, DenseConfig
from retrieve.fakes import WordEncoder, asking, dataset

VECTORS = {"east": (1, 0, 0), "north": (0, 1, 0), "up": (0, 0, 1), "northeast": (0.6, 0.8, 0)}
TITLES = ["east", "north", "up", "northeast", ""]
PLAIN = DenseConfig(centre=False)


@dataclass(frozen=True, eq=False)
class Compass:
    asked: list = field(default_factory=list)

    def fit(self, texts, runtime):
        return self

    def encode(self, texts, *, role):
        self.asked.extend((text, role) for text in texts)
        return np.array([VECTORS.get(text, (0, 0, 0)) for text in texts], np.float32).reshape(-1, 3)


def dense(runtime, config=PLAIN, people=("", "up"), encoder=None):
    data = dataset([[0], [1]], 5, titles=TITLES, people=people)
    return Dense(config, encoder=encoder or Compass()).fit(data, runtime)


def test_a_wish_is_compared_with_each_item(runtime):
    assert dense(runtime).scores(asking(wishes=["northeast"]))[0] == pytest.approx([0.6, 0.8, 0, 1, 0], abs=1e-6)


def test_a_history_is_the_mean_of_its_items(runtime):
    half = 0.5**0.5
    assert dense(runtime).scores(asking([0, 1]))[0] == pytest.approx([half, half, 0, 1.4 * half, 0], abs=1e-6)


def test_older_history_items_count_less(runtime):
    scores = dense(runtime, replace(PLAIN, decay=0.75)).scores(asking([0, 1]))[0]  # (3/4, 1, 0) has length 5/4
    assert scores[:3] == pytest.approx([0.6, 0.8, 0], abs=1e-6)


def test_with_focus_the_nearest_of_the_history_counts_most(runtime):
    scores = [dense(runtime, replace(PLAIN, focus=focus)).scores(asking([0, 1]))[0] for focus in (0.001, 2.0, 50.0)]
    assert scores[0] == pytest.approx([0.5, 0.5, 0, 0.7, 0], abs=1e-3)  # the mean of the cosines
    assert scores[1][:3] == pytest.approx([np.log((np.e**2 + 1) / 2) / 2] * 2 + [0], abs=1e-6)
    assert scores[2] == pytest.approx([1, 1, 0, 0.8, 0], abs=0.02)  # the largest


def test_focus_knows_the_age_and_leaves_wishes_and_declared_texts_to_the_mean(runtime):
    fitted, plain = (dense(runtime, replace(PLAIN, focus=focus, decay=0.5)) for focus in (0.001, 0.0))
    assert fitted.scores(asking([0, 1]))[0][:2] == pytest.approx([1 / 3, 2 / 3], abs=1e-3)
    queries = replace(asking([0, 1], [0, 1], [], wishes=["", "up", ""]), users=np.array([1, 0, -1], np.int32))
    assert np.array_equal(fitted.scores(queries), plain.scores(queries))


def test_a_soft_maximum_is_the_same_for_one_request_as_among_others_and_in_pieces(runtime, monkeypatch):
    fitted, queries = dense(runtime, replace(PLAIN, focus=2.0, decay=0.5)), asking([0, 1], [1, 2], [2, 0, 1], [3])
    whole = fitted.scores(queries)
    alone = [fitted.scores(queries.take([row]))[0] for row in range(len(queries))]
    monkeypatch.setattr(top, "CELLS", 8)
    assert np.stack(alone) == pytest.approx(whole, abs=1e-6)
    assert fitted.scores(queries) == pytest.approx(whole, abs=1e-6)


def test_history_and_wish_add_as_unit_vectors(runtime):
    config = replace(PLAIN, wish_weight=0.75)
    scores = dense(runtime, config).scores(asking([1], wishes=["east"]))[0]
    assert scores[:3] == pytest.approx([0.6, 0.8, 0], abs=1e-6)


def test_what_a_person_declared_counts_for_that_person_alone(runtime):
    fitted = dense(runtime, replace(PLAIN, declared_weight=0.75))
    queries = replace(asking([1], [1], [1], [], []), users=np.array([1, 0, -1, 1, -1], np.int32))
    expected = [[0, 0.8, 0.6], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert fitted.scores(queries)[:, :3] == pytest.approx(np.array(expected), abs=1e-6)


def test_items_are_encoded_as_items_and_people_and_wishes_as_queries(runtime):
    compass = Compass()
    dense(runtime, encoder=compass).scores(asking(wishes=["north", " "]))
    roles = {text: role for text, role in compass.asked if text}
    assert roles == {"east": "item", "north": "query", "up": "query", "northeast": "item"}
    assert compass.asked[-1] == ("north", "query")  # blank wishes are not encoded


def test_centring_takes_away_what_all_items_share(runtime):
    fitted = dense(runtime, DenseConfig())
    mean = np.mean(list(VECTORS.values()), axis=0)
    assert fitted.mean_ == pytest.approx(mean)
    expected = np.array([VECTORS[title] for title in TITLES[:4]]) - mean
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    scores = fitted.scores(asking(wishes=["up"]))[0]
    assert scores == pytest.approx([*(expected @ expected[2]), 0], abs=1e-5)


def test_an_item_without_text_is_neither_moved_nor_scored(runtime):
    assert not dense(runtime, DenseConfig()).vectors_[4].any()


def test_whole_whitening_evens_out_all_directions(runtime):
    words = ["ant", "bee", "cat", "dog", "elk", "fox"]
    rng = np.random.default_rng(0)
    titles = [" ".join(rng.choice(words, size=4)) for _ in range(400)]
    data = dataset([[0]], 400, titles=titles)
    fitted = Dense(DenseConfig(whiten=1.0), encoder=WordEncoder()).fit(data, runtime)
    encoded = WordEncoder().encode(titles, role="item")
    white = (encoded - fitted.mean_) @ fitted.axes_
    np.testing.assert_allclose(white.T @ white / 400, np.eye(white.shape[1]), atol=1e-2)


def test_a_catalogue_without_texts_scores_nothing(runtime):
    fitted = Dense(encoder=Compass()).fit(dataset([[0]], 3), runtime)
    assert fitted.scores(asking([0], wishes=["up"])).tolist() == [[0, 0, 0]]
