"""Other libraries' recommenders say through our contract what they say by themselves."""

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.peers import PEERS, chosen, make
from benchmarks.peers.tuned import Tuned
from benchmarks.peers.with_implicit import LeastSquares, Neighbours, PairwiseRanking

from conftest import checkerboard
from evaluation.fakes import Fake
from palate.retrieve.history import history_matrix
from palate.retrieve.popular import Popular
from palate.runtime import Runtime
from palate.types import STRANGER, Queries, Ragged

BOARD = checkerboard(n_users=80)
EVERYBODY = BOARD.queries(np.arange(80))


def own_lists(model, queries, k):
    """What implicit's own `recommend` gives, from the requests' histories."""
    matrix = history_matrix(queries.histories, BOARD.n_items)
    again = type(model).__name__ == "AlternatingLeastSquares"  # which can, where a history has changed
    return model.recommend(queries.users, matrix, N=k, filter_already_liked_items=True, recalculate_user=again)[0]


@pytest.mark.parametrize("kind", ["cosine", "als", "bpr"])
def test_implicit_gives_the_same_lists_as_its_own_recommend(kind):
    from implicit.nearest_neighbours import CosineRecommender

    made = {"cosine": Neighbours(CosineRecommender, 5), "als": LeastSquares(), "bpr": PairwiseRanking()}[kind]
    fitted = made.fit(BOARD, Runtime())
    theirs, ours = own_lists(fitted.model_, EVERYBODY, 3), fitted.retrieve(EVERYBODY, 3)
    scores = fitted.scores(EVERYBODY)
    rows = np.arange(80)[:, None]
    said = ours.scores != 0  # where the neighbours have nothing more to say, theirs fills up with anything
    assert said.mean() > 0.6
    np.testing.assert_allclose(scores[rows, theirs][said], ours.scores[said], rtol=1e-3, atol=1e-5)


def test_a_changed_history_changes_an_als_list_but_not_a_bpr_list():
    histories = Ragged.of([[0, 2, 4], [1, 3, 5]])
    swapped = Queries(np.array([0, 0], np.int32), histories, Ragged.empty(2), ("", ""))
    als, bpr = (one.fit(BOARD, Runtime()).scores(swapped) for one in (LeastSquares(), PairwiseRanking()))
    assert als[0, :18:2].mean() > als[0, 1:18:2].mean()
    assert als[1, :18:2].mean() < als[1, 1:18:2].mean()
    np.testing.assert_array_equal(bpr[0], bpr[1])


def test_a_stranger_gets_no_bpr_scores():
    stranger = Queries(np.array([STRANGER], np.int32), Ragged.of([[0]]), Ragged.empty(1), ("",))
    assert not PairwiseRanking().fit(BOARD, Runtime()).scores(stranger).any()


def test_the_better_setting_is_chosen_on_held_out_likes():
    found = Tuned({"noise": Fake("noise"), "taste": Fake("taste")}).fit(BOARD, Runtime())
    assert next(iter(found.record_)) == "taste"
    assert found.record_["taste"] > found.record_["noise"]
    np.testing.assert_array_equal(found.scores(EVERYBODY), Fake("taste").fit(BOARD, Runtime()).scores(EVERYBODY))


def test_the_default_is_taken_where_nothing_can_be_held_out():
    few = checkerboard(n_users=8)
    found = Tuned({"noise": Fake("noise"), "taste": Fake("taste")}).fit(few, Runtime())
    assert next(iter(found.record_)) == "noise"


@pytest.mark.parametrize("name", [name for name in PEERS if name.startswith("implicit")])
def test_every_implicit_peer_can_be_made_and_asked(name):
    fitted = make(name).retriever.fit(BOARD, Runtime())
    assert fitted.retrieve(EVERYBODY, 4).items.shape == (80, 4)


@pytest.mark.parametrize("name", ["implicit-tfidf", "implicit-bpr"])
def test_popularity_answers_a_stranger_for_a_peer_as_it_does_for_ours(name):
    stranger = Queries(np.array([STRANGER], np.int32), Ragged.empty(1), Ragged.empty(1), ("",))
    alone = Popular().fit(BOARD, Runtime()).retrieve(stranger, 5)
    shown = make(name).retriever.fit(BOARD, Runtime()).retrieve(stranger, 5)
    np.testing.assert_array_equal(shown.items, alone.items)


def test_the_chosen_setting_is_told():
    made = make("implicit-cosine")
    assert chosen(replace(made, retriever=made.retriever.fit(BOARD, Runtime()))) in {"K=20", "K=100", "K=500"}


class TestRecTools:
    """Run where RecTools is installed."""

    pytestmark = pytest.mark.filterwarnings("ignore")  # its dependencies warn of each other

    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("rectools")

    def test_ease_gives_the_same_scores_as_its_own_recommend(self):
        from benchmarks.peers.with_rectools import Ease, interactions
        from rectools import Columns, dataset
        from rectools.models import EASEModel

        told = dataset.Dataset.construct(interactions(BOARD))
        model = EASEModel(regularization=500.0).fit(told)
        theirs = model.recommend(np.arange(80), told, k=3, filter_viewed=True)
        ours = Ease(500.0).fit(BOARD, Runtime()).scores(EVERYBODY)
        np.testing.assert_allclose(
            ours[theirs[Columns.User], theirs[Columns.Item]], theirs[Columns.Score], rtol=1e-4, atol=1e-6
        )

    @pytest.mark.parametrize("categories", [False, True])
    def test_sasrec_gives_the_same_scores_as_its_own_recommend(self, categories):
        from benchmarks.peers.with_rectools import TransformerPeer, _described, interactions
        from rectools import Columns

        tiny = {"n_factors": 8, "n_heads": 1, "n_blocks": 1, "session_max_len": 4}
        fitted = TransformerPeer(tiny, categories, most_epochs=2).fit(BOARD, Runtime())
        told = _described(interactions(BOARD), None)
        theirs = fitted.model_.recommend(np.arange(80), told, k=3, filter_viewed=True)
        ours = fitted.scores(EVERYBODY)
        np.testing.assert_allclose(
            ours[theirs[Columns.User], theirs[Columns.Item]], theirs[Columns.Score], rtol=1e-4, atol=1e-5
        )
        assert (ours[:, 18:] < ours[:, :18].min(axis=1, keepdims=True)).all()  # items without events

    def test_sasrec_repeats_itself_by_seed_and_is_silent_without_a_history(self):
        from benchmarks.peers.with_rectools import TransformerPeer

        tiny = {"n_factors": 8, "n_heads": 1, "n_blocks": 1, "session_max_len": 4}
        one, again, other = (
            TransformerPeer(tiny, most_epochs=1).fit(BOARD, Runtime(seed)).scores(EVERYBODY) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)
        nobody = Queries(np.array([STRANGER], np.int32), Ragged.empty(1), Ragged.empty(1), ("",))
        assert not TransformerPeer(tiny, most_epochs=1).fit(BOARD, Runtime()).scores(nobody).any()
