"""Training a ranker: losses by hand, words that decide, lists of a retriever, a run that goes on."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from conftest import TASTES, checkerboard
from palate import build, store
from palate.errors import ConfigError, DataError
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.train.examples import Examples
from palate.train.ranker import RankerTrainer, RankerTrainerConfig, loss_of, measures
from palate.tuning.methods import METHODS
from tiny import tiny_bert

FAST = {
    "method": "full",
    "learning_rate": 2e-2,
    "epochs": 12,
    "dtype": "fp32",
    "patience": 12,
    "loss": "bce",
    "batch": 16,
}
LISTS = {"loss": "listwise", "candidates": 18, "learning_rate": 5e-3, "batch": 36, "last": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("bert"))


def examples(n, seed):
    """Everybody likes what is of their own taste; two pairs a person."""
    rng = np.random.default_rng(seed)
    people, items = rng.integers(0, 2, n), np.tile([0, 1], n // 2)
    people[1::2] = people[::2]
    return Examples(
        [TASTES[one] for one in people],
        [TASTES[one] for one in items],
        np.repeat(np.arange(n // 2), 2).astype(np.int32),
        (people == items).astype(np.float32),
        np.zeros(n, np.float32),
    )


def trainer(folder, **options):
    return RankerTrainer(RankerTrainerConfig(model=folder, **{**FAST, **options}))


def test_losses_by_hand():
    score, labels = torch.tensor([2.0, 0.0, 1.0, 1.5]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    groups = np.array([0, 0, 1, 1], np.int32)
    softplus = [math.log(1 + math.exp(x)) for x in (-2, 0, -1, 1.5)]
    assert loss_of("bce", score, labels, groups).item() == pytest.approx(sum(softplus) / 4)
    assert loss_of("mse", score, labels, groups).item() == pytest.approx((1 + 0 + 0 + 2.25) / 4)
    listwise = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(0.5))) / 2
    assert loss_of("listwise", score, labels, groups).item() == pytest.approx(listwise)
    assert loss_of("margin", score, labels, groups).item() == pytest.approx((0 + 1.5) / 2)


def test_a_list_without_a_like_teaches_nothing():
    score = torch.tensor([2.0, 1.0])
    for kind in ("listwise", "margin"):
        assert loss_of(kind, score, torch.zeros(2), np.zeros(2, np.int32)).item() == 0


def test_measures_by_hand():
    groups, labels = np.array([0, 0, 0, 1, 1], np.int32), np.array([1, 0, 0, 0, 1], np.float32)
    pairs = Examples(("",) * 5, ("",) * 5, groups, labels, np.zeros(5, np.float32))
    scores = np.array([1, 2, 0, -1, 3], np.float32)
    lists = measures("listwise", scores, pairs)
    assert lists["accuracy"] == 0.5
    assert lists["ndcg"] == pytest.approx((1 / math.log2(3) + 1) / 2)
    assert lists["auc"] == pytest.approx(5 / 6)
    assert lists["uauc"] == pytest.approx((0.5 + 1) / 2)
    assert measures("bce", scores, pairs)["accuracy"] == pytest.approx(4 / 5)


@pytest.mark.parametrize("loss", ["bce", "mse", "listwise", "margin"])
def test_what_goes_together_is_learned(folder, loss):
    slower = {"learning_rate": 5e-3, "epochs": 25} if loss == "mse" else {}
    ranker = trainer(folder, loss=loss, **slower).learn(examples(160, 0), examples(40, 1), Runtime())
    assert max(epoch["auc"] for epoch in ranker.record_["epochs"]) == 1.0
    scores = ranker.scores([TASTES[0]] * 2, TASTES, np.zeros(2, np.float32))
    assert scores[0] > scores[1] + 0.2


def test_a_head_alone_leaves_the_transformer_as_it_is(folder):
    ranker = trainer(folder, method="head", epochs=1).learn(examples(40, 0), examples(20, 1), Runtime())
    assert set(ranker.weights_) <= {"head.weight", "head.bias", "trust"}
    assert ranker.record_["trainable"] == 16 + 1 + 1


def test_the_same_seed_gives_the_same_ranker_and_another_does_not(folder):
    def scores(seed):
        made = trainer(folder, epochs=1).learn(examples(40, 0), examples(20, 1), Runtime(seed=seed))
        return made.scores(TASTES, TASTES, np.zeros(2, np.float32))

    assert (scores(0) == scores(0)).all()
    assert (scores(0) != scores(1)).any()


class Killed(Exception):
    pass


def test_a_killed_run_goes_on_to_the_same_end(folder, tmp_path, monkeypatch):
    pairs, runtime = (examples(40, 0), examples(20, 1)), Runtime(work=tmp_path)
    whole = trainer(folder, epochs=3).learn(*pairs, Runtime())

    def killed(*given):
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr("palate.train.ranker.measures", replace_after(1, killed))
        with pytest.raises(Killed):
            trainer(folder, epochs=3).learn(*pairs, runtime)
    again = trainer(folder, epochs=3).learn(*pairs, runtime)
    assert [row["epoch"] for row in again.record_["epochs"]] == [1, 2, 3]
    assert again.record_["epochs"][0]["auc"] == whole.record_["epochs"][0]["auc"]
    assert all((again.weights_[name] == value).all() for name, value in whole.weights_.items())


def replace_after(n, other):
    """`measures`, and from the call after the n-th on something else."""
    calls = []

    def kept(*given):
        calls.append(given)
        return measures(*given) if len(calls) <= n else other(*given)

    return kept


@pytest.fixture(scope="module")
def many():
    return checkerboard(n_users=80)


class Contrary(Popular):
    """What is liked least comes first."""

    def scores(self, queries):
        return -super().scores(queries)


def one_taste(data):
    """The people who like science fiction, and nobody else."""
    return data.with_events(data.events.user % 2 == 0)


def test_lists_come_from_the_retriever_and_likes_are_found_in_them(folder, many):
    many = one_taste(checkerboard(n_users=160))
    fitted = trainer(folder, **LISTS, epochs=4).fit(many, Contrary(), Runtime())
    found = fitted.record_["held_out"]
    assert not fitted.record_["kept_order"]
    assert found["low"] > 0
    assert found["people"] == 20
    queries = many.queries(np.arange(0, 40, 2))
    slate = Contrary().fit(many, Runtime()).retrieve(queries, 18)
    own = [(one.items % 2 == 0)[:, :3].mean() for one in (slate, fitted.rank(queries, slate))]
    assert own[1] > own[0] + 0.5


def test_where_nothing_better_was_learned_every_order_is_kept(folder, many):
    fitted = trainer(folder, **{**LISTS, "learning_rate": 1e-9}, epochs=1).fit(many, Popular(), Runtime())
    assert fitted.record_["kept_order"]
    assert not fitted.weights_


def test_too_few_people_keep_every_order(folder, board):
    fitted = trainer(folder, **LISTS, people=10).fit(board, Popular(), Runtime())
    assert fitted.record_["kept_order"]
    assert fitted.record_["lists"] <= 10


@pytest.mark.parametrize("method", METHODS)
def test_what_any_method_learned_comes_back_the_same(method, folder, tmp_path):
    options = {"method": method, "learning_rate": 0.01, "rank": 2, "virtual_tokens": 3, "bottleneck": 4, "epochs": 2}
    learned = trainer(folder, **options).learn(examples(40, 0), examples(20, 1), Runtime())
    store.save(tmp_path / "saved", learned, {})
    loaded = store.load(tmp_path / "saved", build.kinds())
    pairs = ([TASTES[0]] * 2, TASTES, np.ones(2, np.float32))
    assert (loaded.scores(*pairs) == learned.scores(*pairs)).all()
    assert (learned.scores(*pairs) != 1).all()
    assert learned.record_["trainable"] == sum(value.size for value in loaded.weights_.values())
    assert (learned.record_["trainable"] == learned.record_["weights"]) == (method == "full")
    bare = dataclasses.replace(loaded, weights_={n: v for n, v in loaded.weights_.items() if "transformer" not in n})
    assert method == "head" or (bare.scores(*pairs) != learned.scores(*pairs)).any()


def test_a_run_by_adalora_goes_on_to_the_same_end(folder, tmp_path):
    pairs, options = (examples(40, 0), examples(20, 1)), {"method": "adalora", "rank": 2, "epochs": 3}
    whole = trainer(folder, **options).learn(*pairs, Runtime())

    def stop(row):
        if row["epoch"] == 2:
            raise Killed

    with pytest.raises(Killed):
        dataclasses.replace(trainer(folder, **options), told=stop).learn(*pairs, Runtime(work=tmp_path))
    again = trainer(folder, **options).learn(*pairs, Runtime(work=tmp_path))
    assert all((again.weights_[name] == value).all() for name, value in whole.weights_.items())


@pytest.mark.parametrize("loss", ["bce", "mse"])
def test_ratings_teach_too(folder, many, loss):
    """All people rate some of both kinds, and romance low."""
    rng = np.random.default_rng(0)
    user = np.repeat(np.arange(80, dtype=np.int32), 8)
    item = np.concatenate([rng.permutation(18)[:8] for _ in range(80)]).astype(np.int32)
    likes, time = item % 2 == 0, np.arange(len(user), dtype=np.float64)
    value = np.where(likes, 5, 1).astype(np.float32)
    events = dataclasses.replace(many.events, user=user, item=item, time=time, value=value, liked=likes)
    options = {"loss": loss, "learning_rate": 5e-3, "epochs": 6, "last": 1}
    fitted = trainer(folder, **options).fit(dataclasses.replace(many, events=events), Contrary(), Runtime())
    found = fitted.record_["held_out"]
    assert fitted.record_["measure"] == "AUC"
    assert found["low"] > 0
    assert found["after"] > 0.8
    assert set(fitted.record_["epochs"][0]) >= {"loss", "development_loss", "accuracy", "auc", "uauc"}


def test_what_cannot_be_learned_is_refused(folder, many):
    with pytest.raises(DataError, match="every one is liked or not liked alike, so bce has nothing to learn"):
        trainer(folder).fit(many, Popular(), Runtime())
    with pytest.raises(ConfigError, match="loss bce: is for labels; lists are learned by listwise or margin"):
        trainer(folder).taught(many, None, None, None, Runtime())
    none = ("",) * many.n_items
    bare = dataclasses.replace(many, items=dataclasses.replace(many.items, title=none, tags=none))
    with pytest.raises(DataError, match="items: none has a title"):
        trainer(folder, **LISTS).fit(bare, Popular(), Runtime())
