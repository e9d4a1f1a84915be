"""Training a ranker: losses by hand, words that decide, lists of a retriever, a run that goes on."""

import math

import numpy as np
import pytest
import torch

from conftest import TASTES
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.train.ranker import Examples, RankerTrainer, RankerTrainerConfig, loss_of, measures
from tiny import tiny_bert

FAST = {"learning_rate": 2e-2, "epochs": 12, "dtype": "fp32", "patience": 12}


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
    assert len(again.record_["epochs"]) == 2  # the first was done before
    assert all((again.weights_[name] == value).all() for name, value in whole.weights_.items())


def replace_after(n, other):
    """`measures`, and from the call after the n-th on something else."""
    calls = []

    def kept(*given):
        calls.append(given)
        return measures(*given) if len(calls) <= n else other(*given)

    return kept


def test_lists_come_from_the_retriever_and_likes_are_found_in_them(folder, board):
    fitted = trainer(folder, candidates=18, learning_rate=5e-3, batch=36).fit(board, Popular(), Runtime())
    assert not fitted.record_["kept_order"]
    assert fitted.record_["after"] > fitted.record_["before"] + 0.1
    queries = board.queries(np.arange(board.n_users))
    slate = Popular().fit(board, Runtime()).retrieve(queries, 10)
    own = [(one.items % 2 == queries.users[:, None] % 2)[:, :3].mean() for one in (slate, fitted.rank(queries, slate))]
    assert own[1] > own[0] + 0.2


def test_where_nothing_better_was_learned_every_order_is_kept(folder, board):
    fitted = trainer(folder, candidates=18, epochs=1, learning_rate=0.0).fit(board, Popular(), Runtime())
    assert fitted.record_["kept_order"]
    assert not fitted.weights_


def test_too_few_people_keep_every_order(folder, board):
    fitted = trainer(folder, people=10).fit(board, Popular(), Runtime())
    assert fitted.record_["kept_order"]
    assert fitted.record_["lists"] <= 10
