"""A Split to findings: ways in which a result on it could look better than the model is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palate.data.dataset import Catalogue, Dataset
from palate.data.split import Holdout, Split
from palate.errors import LeakError
from palate.types import Bools, Longs

_LABEL_NAME = re.compile(
    r"((avg|average|mean|num|n|total)_)?(rating|vote|review|star|sale|click|view|like|download|purchase)s?"
    r"(_(count|number|average|avg|mean|rank))?|popularity|salesrank|ctr|conversion_rate"
)
_NEARLY_ALL = 0.9  # rank correlation above which an attribute is the outcome in other words
_QUOTED_SHARE = 0.05  # share of people whose text names their own answer that cannot be chance
_SHORTEST_TITLE = 4
_TAGS = re.compile(r"\s*[,|，、]\s*")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the audit found: a refusal makes results worthless, a warning should be read beside them."""

    check: str
    severity: Literal["refuse", "warn"]
    text: str

    def __str__(self) -> str:
        return self.text


def audit(split: Split, told: Sequence[str] | None = None) -> tuple[Finding, ...]:
    """Every finding, refusals first.

    told: (n_users,) what a model is told of each person, a profile or that part of a prompt, if there is any.
    """
    found = [
        *_time_order(split),
        *_same_events(split),
        *_label_names(split.train.items),
        *_label_values(split),
        *_quoted_targets(split),
        *_duplicate_texts(split),
        *(told_targets(split, told) if told is not None else ()),
    ]
    return tuple(sorted(found, key=lambda finding: finding.severity != "refuse"))


def refuse_leaks(findings: Iterable[Finding]) -> None:
    """Raises LeakError where a finding makes results worthless."""
    hard = [finding.text for finding in findings if finding.severity == "refuse"]
    if hard:
        raise LeakError("\n".join(hard))


def _time_order(split: Split) -> Iterable[Finding]:
    """Where order in time was promised it must hold; elsewhere the reader is told how much of train is later."""
    for name, holdout in _holdouts(split):
        known, asked = holdout.known.events.time, holdout.window.events.time
        if not len(known) or not len(asked) or split.train.events.clock == "none":
            continue
        late = int((known > asked.min()).sum())
        if split.in_time and late:
            yield Finding(
                "time order",
                "refuse",
                f"{name}: {late} known events are later than the first held-out one, though the split is called "
                f'"{split.name}"; cut by time again',
            )
        elif name == "test" and split.train.events.clock == "time" and late:
            share = float((split.train.events.time > np.median(asked)).mean())
            yield Finding(
                "time order",
                "warn",
                f'test: the split "{split.name}" is not in time order, {share:.0%} of the train events are later than '
                'the median test event; use split "time" for what a live system would see',
            )


def _same_events(split: Split) -> Iterable[Finding]:
    for name, holdout in _holdouts(split):
        pairs = _pairs(holdout.known, holdout.known.events.user, holdout.known.events.item)
        users = holdout.users[holdout.truth.row_of]
        both = int(np.isin(_pairs(holdout.known, users, holdout.truth.values), pairs).sum())
        if both:
            yield Finding(
                "same event on both sides",
                "refuse",
                f"{name}: {both} of {len(users)} answers are already in the histories; "
                "leave out of the answers what a user had before",
            )


def _label_names(items: Catalogue) -> Iterable[Finding]:
    for name, column in items.attributes.items():
        plain = re.sub(r"[^a-z]+", "_", name.lower()).strip("_")
        if _LABEL_NAME.fullmatch(plain) and not np.isnan(_numbers(column)).all():
            yield Finding(
                "attribute named like the outcome",
                "warn",
                f'items: the attribute "{name}" is named like a count or mean of outcomes; '
                "leave it out unless it was computed from train events only",
            )


def _label_values(split: Split) -> Iterable[Finding]:
    """Attributes that follow all events, test ones included, more closely than the train events explain."""
    outcomes = _outcomes(split)
    for name, column in split.train.items.attributes.items():
        numbers = _numbers(column)
        for what, (train, whole, told) in outcomes.items():
            rows = told & ~np.isnan(numbers)
            if rows.sum() < 10 or len(np.unique(numbers[rows])) < 3:
                continue
            alike, explained = (abs(_rank_correlation(numbers[rows], one[rows])) for one in (whole, train))
            if alike > _NEARLY_ALL and alike > explained + 0.01:
                yield Finding(
                    "attribute that carries the outcome",
                    "refuse",
                    f'items: the attribute "{name}" follows the {what} over train and test together '
                    f"(rank correlation {alike:.3f}; {explained:.3f} with train alone); leave it out, or compute it "
                    "from train events only",
                )
                break


def _outcomes(split: Split) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64], Bools]]:
    """What could be carried: its name to its value in train and over all events (n_items,), and where both exist."""
    n_items, train = split.train.n_items, split.train.events
    known, window = split.test.known.events, split.test.window.events
    item = np.concatenate([known.item, window.item])
    counts, train_counts = (np.bincount(one, minlength=n_items) for one in (item, train.item))
    totals = np.bincount(item, np.concatenate([known.value, window.value]), n_items)
    train_totals = np.bincount(train.item, train.value, n_items)
    means, train_means = totals / np.maximum(counts, 1), train_totals / np.maximum(train_counts, 1)
    return {
        "number of events": (train_counts.astype(float), counts.astype(float), counts > 0),
        "mean value": (train_means, means, (train_counts > 0) & (counts >= 5)),
    }


def _quoted_targets(split: Split) -> Iterable[Finding]:
    """People whose own text names what they are about to be asked for."""
    text, titles = split.train.users.text, [title.strip().lower() for title in split.train.items.title]
    for name, holdout in _holdouts(split):
        described = [row for row, user in enumerate(holdout.users) if text[user].strip()]
        quoted = [
            row for row in described if _first_named(text[holdout.users[row]].lower(), titles, holdout.truth[row])
        ]
        if quoted:
            share = len(quoted) / len(described)
            user = split.train.users.ids.ids[holdout.users[quoted[0]]]
            yield Finding(
                "answer inside a user's text",
                "refuse" if share >= _QUOTED_SHARE else "warn",
                f'{name}: the texts of {len(quoted)} of {len(described)} users, such as "{user}", name an item they '
                "are about to be asked for; write texts and profiles from train events only",
            )


def told_targets(split: Split, told: Sequence[str]) -> Iterable[Finding]:
    """Texts about people, made from train, that name what a person has only in validation or test.

    told: (n_users,) profiles, or the parts of prompts that tell of a person; "" where there is none.
    Titles and tags of a person's own train items are taken out first, so that "Alien" inside "Alien Nation" counts
    only where it is told by itself.
    """
    items, train = split.train.items, split.train.events
    titles = [_spaced(title) for title in items.title]
    for name, holdout in _holdouts(split):
        found: list[tuple[int, int]] = []
        for user, truth in zip(holdout.users, holdout.truth, strict=True):
            text = _spaced(told[user])
            if not text or not _first_named(text, titles, truth):
                continue
            own = train.item[slice(*np.searchsorted(train.user, [user, user + 1]))]
            tags = {tag for item in own for tag in _TAGS.split(_spaced(items.tags[item]))}
            for known in sorted({titles[item] for item in own} | tags, key=len, reverse=True):
                text = re.sub(_whole(known), "|", text) if known else text
            found += [(int(user), item) for item in _first_named(text, titles, truth)]
        if found:
            user, item = found[0]
            yield Finding(
                "answer inside a profile or prompt",
                "refuse",
                f"{name}: what is told of {len(found)} of {len(holdout)} users, such as "
                f'"{split.train.users.ids.ids[user]}", names an item they are about to be asked for, such as '
                f'"{items.title[item]}", and did not have in train; write profiles and prompts from train events only',
            )


def _first_named(text: str, titles: Sequence[str], items: Iterable[int]) -> list[int]:
    """The first of the items that a text names, if any."""
    for item in items:
        title = titles[item]
        if len(title) >= _SHORTEST_TITLE and title in text and re.search(_whole(title), text):
            return [int(item)]
    return []


def _whole(name: str) -> str:
    """A pattern for a name as words of its own; other scripts have no blanks between words."""
    return rf"(?<!\w){re.escape(name)}(?!\w)" if name.isascii() else re.escape(name)


def _spaced(text: str) -> str:
    """In small letters with single blanks, and without semicolons, which profiles have between titles."""
    return " ".join(text.lower().replace(";", " , ").split())


def _duplicate_texts(split: Split) -> Iterable[Finding]:
    """Items that are new in the test but have the text of an item that train knows."""
    items = split.train.items
    trained = np.bincount(split.train.events.item, minlength=len(items)) > 0
    asked = np.unique(split.test.truth.values)
    known = {_plain(items, int(item)) for item in np.flatnonzero(trained)}
    cold = [int(item) for item in asked if not trained[item]]
    twins = [item for item in cold if _plain(items, item).strip() and _plain(items, item) in known]
    if twins:
        yield Finding(
            "same text across the cut",
            "warn",
            f'test: {len(twins)} of {len(cold)} new items, such as "{items.ids.ids[twins[0]]}", have the same text as '
            "an item in train; join them in the catalogue, or read results on new items with care",
        )


def _holdouts(split: Split) -> tuple[tuple[str, Holdout], ...]:
    return ("validation", split.validation), ("test", split.test)


def _pairs(data: Dataset, users: NDArray[np.int32], items: NDArray[np.int32]) -> Longs:
    return users.astype(np.int64) * data.n_items + items


def _plain(items: Catalogue, item: int) -> str:
    """An item's text in lower case with single spaces, so that layout does not hide a repeat."""
    return " ".join(f"{items.title[item]} {items.description[item]}".lower().split())


def _numbers(column: Sequence[str]) -> NDArray[np.float64]:
    """A column as numbers, nan where blank; all nan where it holds anything else."""
    try:
        return np.array([float(cell) if cell.strip() else np.nan for cell in column])
    except ValueError:
        return np.full(len(column), np.nan)


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rho, ties sharing their mean rank; 0 where one of them is constant."""
    if not np.ptp(a) or not np.ptp(b):
        return 0.0
    return float(np.corrcoef([_ranks(a), _ranks(b)])[0][1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks
