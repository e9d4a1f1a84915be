"""A language model as ranker: same items out, nothing hangs on the batch, and a love of letters is averaged away."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from conftest import checkerboard
from generate.tiny import tiny_model
from palate import build, store
from palate.errors import AssetError, ConfigError, NotFittedError
from palate.generate.local import LocalGenerator, LocalGeneratorConfig
from palate.rank.llm import LLMRanker, LLMRankerConfig
from palate.rank.position import position_bias
from palate.runtime import Runtime
from palate.types import NO_ITEM, Slate

DATA = checkerboard()
WAYS = ("pointwise", "listwise", "written")


class Reader:
    """A stand-in model with a taste: volumes with high numbers; and a bias: so much for each letter from the first."""

    identity = "reader"

    def __init__(self, bias: float = 0.0, taste: float = 1.0) -> None:
        self.bias, self.taste, self.prompts = bias, taste, []

    def score(self, prompts, answers):
        self.prompts += prompts
        return np.array([self._told(prompt, answers) for prompt in prompts], np.float32).reshape(-1, len(answers))

    def generate(self, prompts, max_tokens):
        self.prompts += prompts
        lines = [re.findall(r"^([A-Z])\. .*volume (\d+)", prompt, re.MULTILINE) for prompt in prompts]
        return [", ".join(letter for letter, _ in sorted(one, key=lambda pair: -int(pair[1]))) for one in lines]

    def _told(self, prompt, answers):
        if answers == ("Yes", "No"):
            return [self.taste * int(re.findall(r"volume (\d+)", prompt)[-1]), 0.0]
        volumes = dict(re.findall(r"^([A-Z])\. .*volume (\d+)", prompt, re.MULTILINE))
        return [self.taste * int(volumes.get(a, 0)) - self.bias * n for n, a in enumerate(answers)]


def fitted(how: str = "pointwise", generator=None, **options) -> LLMRanker:
    config = LLMRankerConfig(how=how, **options)
    return LLMRanker(config, generator or Reader()).fit(DATA, Runtime(seed=0))


@pytest.fixture
def queries():
    return DATA.queries(np.array([0, 1, 2, -1]))


@pytest.fixture
def slate():
    items = np.array([[3, 9, 1, 5, 7, 12], [2, 4, 6, 8, 10, 0], [5, 3, 1, -1, -1, -1], [-1] * 6], np.int32)
    scores = np.where(items == NO_ITEM, -np.inf, -np.arange(6.0)).astype(np.float32)
    return Slate(items, scores)


@pytest.mark.parametrize("how", WAYS)
def test_what_the_model_likes_comes_first_and_items_stay(queries, slate, how):
    told = fitted(how).rank(queries, slate).items
    assert told.tolist() == [[12, 9, 7, 5, 3, 1], [10, 8, 6, 4, 2, 0], [5, 3, 1, -1, -1, -1], [-1] * 6]


@pytest.mark.parametrize("how", WAYS)
def test_only_the_first_places_are_asked_about(queries, slate, how):
    ranker = fitted(how, depth=3)
    told = ranker.rank(queries, slate)
    assert told.items[:2].tolist() == [[9, 3, 1, 5, 7, 12], [6, 4, 2, 8, 10, 0]]
    asked = " ".join(prompt.partition("\n")[2] for prompt in ranker.generator.prompts)
    assert re.search(r"volume 9\b", asked)
    assert not re.search(r"volume 12\b", asked)
    assert np.isfinite(told.scores[:2]).all()


@pytest.mark.parametrize("how", WAYS)
def test_a_request_is_answered_alike_alone_and_in_any_company(queries, slate, how):
    ranker = fitted(how, Reader(bias=1.0, taste=0.1), group=3)
    whole = ranker.rank(queries, slate)
    for row in range(len(queries)):
        alone = ranker.rank(queries.take(np.array([row])), slate.take(np.array([row])))
        np.testing.assert_array_equal(alone.items[0], whole.items[row])
        np.testing.assert_allclose(alone.scores[0], whole.scores[row], rtol=1e-5)


def test_scores_do_not_hang_on_the_order_that_comes_in(queries, slate):
    ranker = fitted("listwise", Reader(bias=1.0, taste=0.1), group=3)
    forward = ranker.scores(queries.take(slice(0, 2)), slate.items[:2])
    backward = ranker.scores(queries.take(slice(0, 2)), slate.items[:2, ::-1].copy())
    np.testing.assert_allclose(backward[:, ::-1], forward, rtol=1e-5)


def test_two_passes_average_a_love_of_letters_away(queries, slate):
    lover = Reader(bias=5.0, taste=0.5)
    expected = np.sort(slate.items[:2], axis=1)[:, ::-1]
    part = slate.take(np.array([0, 1]))
    asked = queries.take(slice(0, 2))
    assert (fitted("listwise", lover, passes=2).rank(asked, part).items == expected).all()
    assert (fitted("listwise", lover, passes=1).rank(asked, part).items != expected).any()


@pytest.mark.parametrize(
    ("reader", "letter", "kept"),
    [
        pytest.param(Reader(), 2.5, 1.0, id="content"),
        pytest.param(Reader(bias=1.0, taste=0.0), 0.0, 0.0, id="letters"),
    ],
)
def test_position_bias_tells_content_from_letters(queries, slate, reader, letter, kept):
    bias = position_bias(fitted("listwise", reader), queries, slate)
    assert (bias.requests, bias.mean_letter, bias.unbiased, bias.kept) == (2, letter, 2.5, kept)
    assert bias.shares.sum() == pytest.approx(1)


def test_no_full_list_is_no_bias(queries, slate):
    bias = position_bias(fitted("listwise"), queries.take(slice(2, 4)), slate.take(np.array([2, 3])))
    assert bias.requests == 0
    assert np.isnan(bias.mean_letter)


def test_a_model_that_names_nobody_changes_nothing(queries, slate):
    silent = SimpleNamespace(
        identity="silent", generate=lambda prompts, max_tokens: ["I like them all."] * len(prompts)
    )
    assert (fitted("written", silent).rank(queries, slate).items == slate.items).all()


def test_profiles_and_wishes_are_told(queries, slate):
    ranker = LLMRanker(generator=Reader(), profiles={"u1": "Likes: cakes"}).fit(DATA, Runtime(seed=0))
    who = ranker.people(replace(queries, wishes=("", "", "", "a quiet evening")))
    assert "Likes: cakes" in who[1]
    assert "Likes" not in who[0]
    assert who[3] == "They ask for: a quiet evening"


def test_unfitted_and_unknown_models_say_so(queries, slate):
    with pytest.raises(NotFittedError, match="fit it first"):
        LLMRanker(generator=Reader()).rank(queries, slate)
    with pytest.raises(NotFittedError, match="no language model"):
        LLMRanker().fit(DATA, Runtime())
    other = Reader()
    other.identity = "another"
    with pytest.raises(AssetError, match="made for reader, not another"):
        replace(fitted(), generator=other).rank(queries, slate)


def test_a_saved_ranker_answers_as_before(tmp_path, queries, slate):
    model = LocalGenerator(LocalGeneratorConfig(model=str(tiny_model(tmp_path / "tiny")), dtype="fp32"))
    ranker = fitted("listwise", model)
    store.save(tmp_path / "saved", ranker, {})
    again = store.load(tmp_path / "saved", build.kinds())
    np.testing.assert_array_equal(again.rank(queries, slate).items, ranker.rank(queries, slate).items)


def test_names_become_models_or_errors(tmp_path):
    assert build.make_generator("http://127.0.0.1:1/v1#qwen").config.model == "qwen"
    assert build.make_generator(str(tmp_path)).config.model == str(tmp_path)
    with pytest.raises(AssetError, match='model "nobody": no such folder'):
        build.make_generator("nobody")
    with pytest.raises(ConfigError):
        LLMRankerConfig(group=27)
