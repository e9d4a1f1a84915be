"""The index of a large catalogue: nearly the lists of exact search, filters kept exactly, saved as plain numbers."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest

from palate import store
from palate.errors import PalateWarning, StoreError
from palate.retrieve import approximate
from palate.retrieve.approximate import Approximate, Codes, coded, searched
from palate.retrieve.dense import Dense, DenseConfig
from palate.retrieve.exact import LongestFirst
from palate.retrieve.fuse import Fused
from palate.retrieve.popular import Popular
from palate.retrieve.top import best
from palate.runtime import Runtime
from palate.types import NO_ITEM
from palate.vectors import unit_rows
from retrieve.fakes import WordEncoder, asking, dataset

N, DIM = 6000, 32


def rng(name="codes"):
    return Runtime(seed=3).rng(name)


def clustered(n, seed=0):
    """Unit rows around 60 directions, as texts of 60 subjects are."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(60, DIM))
    return unit_rows(centres[random.integers(0, 60, n)] + 0.6 * random.normal(size=(n, DIM)))


@pytest.fixture(scope="module", autouse=True)
def small():
    """Candidates few enough that a catalogue of thousands is a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(approximate, "LEAST", 100)
        patch.setattr(approximate, "TIMES", 2)
        patch.setattr(approximate, "FEW", 50)
        patch.setattr(approximate, "PART", 2)
        yield


@pytest.fixture(scope="module")
def vectors():
    return clustered(N)


@pytest.fixture(scope="module")
def index(vectors):
    found = searched(vectors, coded(vectors, 1000, rng()), 1000)
    assert isinstance(found, Approximate)
    return found


@pytest.fixture
def untouched(monkeypatch, index):
    """Exact search does not stand in while this is used."""
    monkeypatch.setattr(LongestFirst, "best", lambda *_: pytest.fail("searched exactly"))


def asked(n=40):
    return clustered(n, seed=7)


def shared(found, expected):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found.items, expected.items, strict=True)])


@pytest.mark.usefixtures("untouched")
def test_lists_are_nearly_those_of_exact_search_and_scores_are_products(vectors, index):
    queries = asking(*[[]] * 40)
    found = index.best(asked(), queries, 10)
    assert shared(found, best(asked() @ vectors.T, queries, 10)) > 0.97
    np.testing.assert_allclose(found.scores, np.einsum("bkd,bd->bk", vectors[found.items], asked()), rtol=1e-5)


@pytest.mark.usefixtures("untouched")
def test_seen_and_ineligible_items_are_never_in_a_list(vectors, index):
    open_ = np.random.default_rng(1).random(N) < 0.3
    near = best(asked() @ vectors.T, asking(*[[]] * 40), 60).items  # what would come first
    queries = asking(*[[]] * 40, seen=near[:, ::2].tolist(), eligible=open_)
    found = index.best(asked(), queries, 10)
    assert open_[found.items].all()
    assert not any(np.isin(shown, seen).any() for shown, seen in zip(found.items, queries.seen, strict=True))
    assert shared(found, best(asked() @ vectors.T, queries, 10)) > 0.97


@pytest.mark.usefixtures("untouched")
def test_among_few_eligible_items_all_are_compared(vectors, index):
    open_ = np.zeros(N, np.bool_)
    open_[rng().choice(N, 40, replace=False)] = True
    queries = asking(*[[]] * 40, seen=[np.flatnonzero(open_)[:33].tolist(), [0, N - 1], *[[]] * 38], eligible=open_)
    found, expected = index.best(asked(), queries, 10), best(asked() @ vectors.T, queries, 10)
    assert found.items.tolist() == expected.items.tolist()
    assert (found.items[0] == NO_ITEM).sum() == 3
    nothing = asking([], [], eligible=np.zeros(N, np.bool_))
    assert (index.best(asked(2), nothing, 10).items == NO_ITEM).all()


def test_lists_have_all_their_places_whatever_was_seen(vectors, index):
    seen = [np.arange(N - 5).tolist(), np.argsort(-vectors @ asked()[1])[:2500].tolist()]
    queries = asking([], [], seen=seen)
    found, expected = index.best(asked(2), queries, 5), best(asked(2) @ vectors.T, queries, 5)
    assert found.items[0].tolist() == expected.items[0].tolist()
    assert (found.items[1] != NO_ITEM).all()
    everything = index.best(asked(2), asking([], []), N + 1)
    assert np.sort(everything.items, axis=1).tolist() == [list(range(N))] * 2


def test_where_nothing_is_known_lists_are_those_of_exact_search(index):
    found = index.best(np.zeros((1, DIM), np.float32), asking([], seen=[[1]]), 3)
    assert found.items.tolist() == [[0, 2, 3]]
    assert found.scores.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("copies", [20, 3000])
def test_equal_items_stand_in_the_order_of_their_rows(copies):
    vectors = clustered(N)
    places = np.sort(rng().choice(N, copies, replace=False))
    vectors[places] = vectors[places[0]]
    index = searched(vectors, coded(vectors, 1000, rng()), 1000)
    found = index.best(vectors[places[:1]], asking([]), 12)
    assert found.items[0].tolist() == places[:12].tolist()


def test_a_request_is_answered_alike_alone_and_in_any_company(index):
    queries = asking(*[[]] * 40, seen=np.random.default_rng(2).integers(0, N, (40, 30)).tolist())
    found, order = index.best(asked(), queries, 10), rng().permutation(40)
    again = index.best(asked()[order], queries.take(order), 10)
    assert (again.items == found.items[order]).all()
    assert (again.scores == found.scores[order]).all()
    alone = [index.best(asked()[row : row + 1], queries.take(np.array([row])), 10).items[0] for row in range(40)]
    assert (np.stack(alone) == found.items).all()


def test_the_same_seed_makes_the_same_codes(vectors):
    first, second = Codes.of(vectors, rng()), Codes.of(vectors, rng())
    assert all((one == other).all() for one, other in zip(vars(first).values(), vars(second).values(), strict=True))


def test_codes_of_another_catalogue_are_refused_before_an_index_is_made(vectors, index):
    codes = Codes.of(vectors[:1000], rng())
    with pytest.raises(StoreError, match="train the model again"):
        searched(vectors, codes, 100)
    with pytest.raises(StoreError, match="train the model again"):
        searched(vectors[:1000, :30], codes, 100)


def test_up_to_the_size_search_is_exact(vectors):
    assert coded(vectors, N, rng()) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(searched(vectors, None, N), LongestFirst)


def test_without_the_extra_search_is_exact_and_says_how_to_change_that(vectors, monkeypatch):
    codes = Codes.of(vectors, rng())
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert coded(vectors, 1000, rng()) is None
    for saved in (codes, None):
        with pytest.warns(PalateWarning, match=r'6,000 items .* pip install "palate\[index\]"') as told:
            assert isinstance(searched(vectors, saved, 1000), LongestFirst)
        assert len(told) == 1


def test_a_model_that_was_trained_without_the_extra_says_so(vectors):
    with pytest.warns(PalateWarning, match="train the model again"):
        assert isinstance(searched(vectors, None, 1000), LongestFirst)


@pytest.fixture(scope="module")
def dense():
    words = np.array([f"word{number}" for number in range(200)])
    titles = [" ".join(words[np.random.default_rng(row).integers(0, 200, 4)]) for row in range(1500)]
    data = dataset([[0, 1], [5]], 1500, titles=titles)
    return Dense(DenseConfig(exact_up_to=1000), encoder=WordEncoder()).fit(data, Runtime(seed=0))


KINDS = {kind.__name__: kind for kind in (Dense, DenseConfig, WordEncoder, Codes)}


def test_a_saved_retriever_has_its_index_without_making_it_again(dense, tmp_path, monkeypatch):
    wishes = asking([], [], wishes=["word3 word7", "word150"])
    assert isinstance(dense._index, Approximate)
    store.save(tmp_path / "model", dense, {})
    monkeypatch.setattr(Codes, "of", lambda *_: pytest.fail("made again"))
    loaded = store.load(tmp_path / "model", KINDS)
    assert isinstance(loaded._index, Approximate)
    found, expected = loaded.retrieve(wishes, 5), dense.retrieve(wishes, 5)
    assert (found.items == expected.items).all()
    assert (found.scores == expected.scores).all()


def test_a_damaged_index_is_refused_before_it_is_read(dense, tmp_path):
    store.save(tmp_path / "model", dense, {})
    path = tmp_path / "model" / "arrays.safetensors"
    data = bytearray(path.read_bytes())
    place = data.index(dense.codes_.codes.tobytes()[:64])
    data[place + 100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="damaged"):
        store.load(tmp_path / "model", KINDS)


def test_given_candidates_are_all_compared(dense, monkeypatch):
    monkeypatch.setattr(Approximate, "best", lambda *_: pytest.fail("searched by the index"))
    among = np.array([[7, 3, 1400]], np.int32)
    found = dense.retrieve(asking([], wishes=["word3 word7"]), 3, among)
    assert sorted(found.items[0].tolist()) == [3, 7, 1400]


@pytest.fixture(scope="module")
def fused(dense):
    data = dataset([[0, 1], [5]], dense.vectors_.shape[0])
    return Fused(members=(dense, Popular().fit(data, Runtime())), weights=(1, 0), wish_weights=(1, 0), n_items_=1500)


@pytest.mark.parametrize("focus", [0.0, 4.0])
def test_a_blend_that_hears_only_an_indexed_part_gives_the_lists_and_scores_that_it_gives_without(fused, focus):
    dense = replace(fused.members[0], config=DenseConfig(exact_up_to=1000, focus=focus))
    queries = asking([3], [], [3, 9], [7], [], wishes=["", "word3 word7", "", "word9 word12 word100", ""])
    quick = replace(fused, members=(dense, fused.members[1]))
    plain = replace(
        quick, members=(replace(dense, config=DenseConfig(exact_up_to=1500, focus=focus)), fused.members[1])
    )
    assert dense.indexed
    found, expected = quick.retrieve(queries, 3), plain.retrieve(queries, 3)
    assert found.items.tolist() == expected.items.tolist()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
