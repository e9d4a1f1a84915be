"""Fitting the sequence model on data whose next item is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from palate.errors import PalateWarning
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular
from palate.retrieve.scale import standardised
from palate.runtime import Runtime
from palate.train.sequence import SequenceTrainer, SequenceTrainerConfig
from retrieve.fakes import WordEncoder, asking, dataset

SMALL = SequenceTrainerConfig(
    dim=16, layers=1, heads=1, length=8, epochs=8, batch=32, dropout=0.1, learning_rate=0.01, smoothing=0.05
)
COLOURS = ("red", "green", "blue", "black")


def circle(n_users=60, n_items=12):
    """Everybody walks round the circle of items from somewhere, six steps long."""
    return dataset([[(user + step) % n_items for step in range(6)] for user in range(n_users)], n_items)


def fit(data, config=SMALL, **runtime):
    return SequenceTrainer(config, encoder=WordEncoder()).fit(data, Runtime(**runtime))


@pytest.mark.parametrize("backbone", ["sasrec", "gru"])
@pytest.mark.parametrize("temperature", [0.0, 0.07])
def test_the_next_item_on_the_circle_comes_first(backbone, temperature):
    model = fit(circle(), replace(SMALL, backbone=backbone, temperature=temperature, epochs=16))
    asked = asking(*([item, (item + 1) % 12] for item in range(12)))
    assert model.retrieve(asked, 1).items.ravel().tolist() == [(item + 2) % 12 for item in range(12)]


def test_a_sampled_softmax_learns_the_circle_too():
    model = fit(circle(), replace(SMALL, sample_above=0, negatives=64, epochs=16))
    assert model.retrieve(asking([3, 4], [10, 11]), 1).items.ravel().tolist() == [5, 0]


@pytest.fixture(scope="module")
def colours():
    """Items 0-39 have one of four colours; people stay with theirs. Items 40-43 are new, one of each colour."""
    rng = np.random.default_rng(0)
    titles = tuple(f"{COLOURS[item % 4]} thing" for item in range(44))
    rows = [[4 * int(step) + user % 4 for step in rng.permutation(10)[:6]] for user in range(240)]
    return fit(dataset(rows, 44, titles=titles), replace(SMALL, epochs=6, id_dropout=0.3))


def test_a_new_item_is_reached_by_its_text(colours):
    scores = colours.scores(asking(*([colour, 4 + colour, 8 + colour] for colour in range(4))))
    assert scores[:, 40:].argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_a_new_item_stands_among_those_of_its_kind_and_above_the_others(colours):
    for colour in range(4):
        scores = colours.scores(asking([colour, 4 + colour, 8 + colour]))[0, :44]
        others = scores[[item for item in range(40) if item % 4 != colour]]
        assert scores[40 + colour] > others.max()


def test_a_wish_alone_finds_items_of_that_kind(colours):
    slate = colours.retrieve(asking([], [], wishes=["red thing", "blue thing"]), 5)
    assert (slate.items % 4 == [[0], [2]]).all()


class Deaf:
    """A language model to which all texts are the same."""

    def fit(self, texts, runtime):
        return self

    def encode(self, texts, *, role):
        return np.tile(np.float32([[1, 0, 0]]), (len(texts), 1))


@pytest.mark.parametrize(("words", "right"), [(8, 4), (0, 1)])
def test_words_tell_what_the_language_model_does_not(words, right):
    rng = np.random.default_rng(0)
    titles = tuple(f"{COLOURS[item % 4]} thing" for item in range(44))
    rows = [[4 * int(step) + user % 4 for step in rng.permutation(10)[:6]] for user in range(240)]
    config = replace(SMALL, epochs=6, id_dropout=0.3, words=words)
    model = SequenceTrainer(config, encoder=Deaf()).fit(dataset(rows, 44, titles=titles), Runtime())
    scores = model.scores(asking(*([colour, 4 + colour, 8 + colour] for colour in range(4))))
    assert (scores[:, 40:].argmax(axis=1) == range(4)).sum() == right  # of equal scores the first


def test_only_items_without_events_are_cold(colours):
    assert np.flatnonzero(colours.cold).tolist() == [40, 41, 42, 43]


def test_another_seed_gives_another_model_and_the_same_seed_the_same():
    one, again, other = (fit(circle(), replace(SMALL, epochs=2), seed=seed) for seed in (1, 1, 2))
    assert (one.items == again.items).all()
    assert not np.allclose(one.items, other.items)


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    whole = fit(circle())

    class Killed(Exception):
        pass

    def killed(runtime, steps, label, total=None):
        for place, step in enumerate(steps):
            if place == 3:
                raise Killed
            yield step

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "progress", killed)
        with pytest.raises(Killed):
            fit(circle(), work=tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    resumed = fit(circle(), work=tmp_path)
    assert (resumed.items == whole.items).all()
    assert all((resumed.network[name] == value).all() for name, value in whole.network.items())


def test_a_damaged_checkpoint_is_told_and_not_used(tmp_path, caplog):
    fit(circle(), replace(SMALL, epochs=1), work=tmp_path)
    (saved,) = tmp_path.glob("*.safetensors")
    saved.write_bytes(saved.read_bytes()[:100])
    again = fit(circle(), replace(SMALL, epochs=1), work=tmp_path)
    assert "damaged checkpoint" in caplog.text
    assert (again.items == fit(circle(), replace(SMALL, epochs=1)).items).all()


def test_nothing_to_learn_from_is_said():
    with pytest.warns(PalateWarning, match="nobody has two likes"):
        model = fit(dataset([[0], [1]], 3))
    assert np.isfinite(model.scores(asking([0], [2]))).all()


def test_it_is_fused_like_any_other():
    fused = Fused(members=(Popular(), SequenceTrainer(SMALL, encoder=WordEncoder()))).fit(circle(240), Runtime())
    assert fused.retrieve(asking([3, 4]), 1).items.tolist() == [[5]]


def test_several_networks_are_averaged_and_brought_up_to_date_together():
    trainer = SequenceTrainer(replace(SMALL, networks=2, epochs=4), encoder=WordEncoder())
    both = trainer.fit(circle(), Runtime())
    first, second = both.members
    assert first.encoder is second.encoder
    assert first.scores(asking([1, 2])).tolist() != second.scores(asking([1, 2])).tolist()
    mean = sum(standardised(one.scores(asking([1, 2]))) for one in both.members) / 2
    assert both.scores(asking([1, 2])) == pytest.approx(mean, abs=1e-6)
    later = trainer.refit(both, circle(), Runtime())
    assert [np.array_equal(*pair) for pair in zip(later.members[0].items, first.items, strict=True)] != [True] * 12
    assert later.members[1].scores(asking([1, 2])).tolist() != second.scores(asking([1, 2])).tolist()


@pytest.mark.parametrize("backbone", ["sasrec", "gru"])
def test_networks_beside_each_other_are_what_they_are_one_after_the_other(backbone):
    config = replace(SMALL, networks=2, epochs=2, backbone=backbone, id_dropout=0.3, sample_above=0, negatives=64)
    trainer = SequenceTrainer(config, encoder=WordEncoder())

    def trained():
        return trainer.refit(trainer.fit(circle(240), Runtime()), circle(240), Runtime()).members

    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # one each
    both = trained()
    torch.set_num_threads(1)
    one_by_one = trained()
    torch.set_num_threads(threads)
    for mine, others in zip(both, one_by_one, strict=True):
        np.testing.assert_array_equal(mine.items, others.items)


@pytest.mark.parametrize(("at_once", "rounds"), [(3, 1), (2, 2)])
def test_time_is_shared_by_fit_and_refit_and_by_networks_that_wait_after_what_reading_took(
    monkeypatch, at_once, rounds
):
    given, now = [], iter(range(0, 1000, 6))  # reading the items takes 6 s
    monkeypatch.setattr("palate.train.sequence.at_once", lambda n: at_once)
    monkeypatch.setattr("palate.train.sequence.time.perf_counter", lambda: next(now))
    monkeypatch.setattr("palate.train.sequence.train", lambda *told, **_: given.append(told[4].seconds))
    trainer = SequenceTrainer(replace(SMALL, networks=3, epochs=6, refit_epochs=4), encoder=WordEncoder())
    fitted = trainer.fit(circle(), Runtime())
    assert given == [math.inf] * 3
    given.clear()
    trainer.within(100.0).fit(circle(), Runtime())
    assert given == [(60.0 - 6.0) / rounds] * 3
    given.clear()
    trainer.within(100.0).refit(fitted, circle(), Runtime())
    assert given == [(40.0 - 6.0) / rounds] * 3
    given.clear()
    trainer.within(1.0).fit(circle(), Runtime())
    assert given == [0.0] * 3
