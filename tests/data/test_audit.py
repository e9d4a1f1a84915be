"""The audit finds every leak that is planted, and nothing in clean data."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import checkerboard
from palate.data.audit import audit, refuse_leaks
from palate.data.split import Split, leave_last_out, time_split
from palate.errors import LeakError
from palate.types import Ragged


def with_attribute(cut: Split, name: str, column) -> Split:
    items = replace(cut.train.items, attributes={name: tuple(map(str, column))})
    return replace(cut, train=replace(cut.train, items=items))


def with_user_texts(cut: Split, texts: dict[int, str]) -> Split:
    people = replace(cut.train.users, text=tuple(texts.get(user, "") for user in range(cut.train.n_users)))
    return replace(cut, train=replace(cut.train, users=people))


@pytest.fixture
def cut() -> Split:
    return time_split(checkerboard(n_users=200))


def counts(cut: Split, *, test: bool) -> np.ndarray:
    events = [cut.train.events.item]
    if test:
        events = [cut.test.known.events.item, cut.test.window.events.item]
    return np.bincount(np.concatenate(events), minlength=cut.train.n_items)


def test_clean_data_has_no_findings(cut):
    assert audit(cut) == ()


def test_a_split_out_of_order_is_refused(cut):
    late = replace(cut.test, known=cut.test.window)
    findings = audit(replace(cut, test=late))
    assert findings[0].severity == "refuse"
    with pytest.raises(LeakError, match=r"test: .* known events are later"):
        refuse_leaks(findings)


def test_a_split_that_promises_no_order_is_only_warned_of():
    findings = audit(leave_last_out(checkerboard()))
    assert [(finding.check, finding.severity) for finding in findings] == [("time order", "warn")]
    assert "% of the train events are later than the median test event" in findings[0].text
    refuse_leaks(findings)


def test_an_answer_that_was_already_had_is_refused(cut):
    had = Ragged.of([cut.test.queries().seen[row][:1] for row in range(len(cut.test))])
    with pytest.raises(LeakError, match=f"test: {len(had.values)} of {len(had.values)} answers are already"):
        refuse_leaks(audit(replace(cut, test=replace(cut.test, truth=had))))


@pytest.mark.parametrize(
    "name", ["avg_rating", "vote_average", "Vote Count", "popularity", "num_ratings", "rating_number"]
)
def test_an_attribute_named_like_the_outcome_is_warned_of(cut, name):
    (finding,) = audit(with_attribute(cut, name, np.arange(cut.train.n_items) % 7))
    assert finding.severity == "warn"
    assert name in finding.text


@pytest.mark.parametrize("name", ["year", "price", "rating of the censor"])
def test_an_ordinary_attribute_is_not(cut, name):
    assert audit(with_attribute(cut, name, np.arange(cut.train.n_items) % 7)) == ()


def test_an_attribute_that_counts_test_events_is_refused_whatever_its_name(cut):
    with pytest.raises(LeakError, match='"heat" follows the number of events over train and test'):
        refuse_leaks(audit(with_attribute(cut, "heat", -counts(cut, test=True))))


def test_an_attribute_that_counts_train_events_is_not_refused():
    data = checkerboard(n_users=200)
    skewed = (18 * np.random.default_rng(0).random(len(data.events)) ** 3).astype(np.int32)
    cut = time_split(replace(data, events=replace(data.events, item=skewed)))
    train, whole = counts(cut, test=False), counts(cut, test=True)
    assert np.corrcoef(train, whole)[0, 1] > 0.99  # what is popular in train stays so, which is no leak
    refuse_leaks(audit(with_attribute(cut, "heat", train)))


def test_an_attribute_that_averages_test_ratings_is_refused():
    data = checkerboard(n_users=200)
    ratings = np.random.default_rng(0).integers(1, 6, len(data.events)).astype(np.float32)
    cut = time_split(replace(data, events=replace(data.events, value=ratings)))
    totals = np.bincount(data.events.item, ratings, data.n_items)
    means = totals / np.maximum(np.bincount(data.events.item, minlength=data.n_items), 1)
    with pytest.raises(LeakError, match='"quality" follows the mean value'):
        refuse_leaks(audit(with_attribute(cut, "quality", means)))


def test_a_profile_that_names_its_answer_is_refused(cut):
    titles = cut.train.items.title
    texts = {int(user): f"Loves {titles[cut.test.truth[row][0]].upper()}!" for row, user in enumerate(cut.test.users)}
    with pytest.raises(LeakError, match=r"test: the texts of \d+ of \d+ users"):
        refuse_leaks(audit(with_user_texts(cut, texts)))


def test_a_title_inside_a_longer_word_is_no_quotation(cut):
    titles = cut.train.items.title
    texts = {int(user): f"{titles[cut.test.truth[row][0]]}0" for row, user in enumerate(cut.test.users)}
    assert audit(with_user_texts(cut, texts)) == ()


def test_a_new_item_with_a_known_text_is_warned_of(cut):
    new = int(cut.test.truth.values[0])
    events = cut.train.events
    title = list(cut.train.items.title)
    twin = next(int(item) for item in events.item if item != new)
    title[new] = f"  {title[twin].upper()} "
    train = replace(
        cut.train, items=replace(cut.train.items, title=tuple(title)), events=events.where(events.item != new)
    )
    (finding,) = audit(replace(cut, train=train))
    assert finding.check == "same text across the cut"
    assert f'"i{new}"' in finding.text


def profiles(cut: Split, planted: dict[int, str]) -> list[str]:
    """What train says of each person, with something planted."""
    titles, histories = cut.train.items.title, cut.train.histories()
    own = ["Likes: " + "; ".join(titles[item] for item in history) for history in histories]
    return [f"{text}{planted.get(user, '')}" for user, text in enumerate(own)]


@pytest.mark.parametrize("where", ["validation", "test"])
def test_one_profile_that_tells_of_the_future_is_refused(cut, where):
    holdout = getattr(cut, where)
    user, item = int(holdout.users[0]), int(holdout.truth[0][0])
    assert audit(cut, profiles(cut, {})) == ()
    (finding,) = audit(cut, profiles(cut, {user: f"; {cut.train.items.title[item]}"}))
    assert str(finding).startswith(f"{where}: what is told of 1 of {len(holdout)} users")
    with pytest.raises(LeakError, match="names an item they are about to be asked for"):
        refuse_leaks([finding])


def test_a_title_inside_one_of_the_history_is_no_leak(cut):
    user, item = int(cut.test.users[0]), int(cut.test.truth[0][0])
    own = int(cut.train.histories()[user][0])
    titles = list(cut.train.items.title)
    titles[item], titles[own] = "Alien", "Alien Nation"
    renamed = replace(cut, train=replace(cut.train, items=replace(cut.train.items, title=tuple(titles))))
    assert audit(renamed, profiles(renamed, {})) == ()
    assert len(audit(renamed, profiles(renamed, {user: "; Alien"}))) == 1
