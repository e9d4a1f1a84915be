"""Items, histories and people to texts: a template for an item, the last liked titles and own words for a person.

Every text is cut by characters here, before any tokenizer sees it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from palate.config import option, options
from palate.data.dataset import Catalogue, Dataset
from palate.errors import ConfigError
from palate.types import Ints, Longs, Ragged

_FIELD = re.compile(r"\{([^{}]+)\}")
_FIELD_AND_STOP = re.compile(rf"{_FIELD.pattern}([.。]?)")
_EMPTY_BRACKETS = re.compile(r"[(\[（【]\s*[)\]）】]")
_SEPARATORS = ".,;:|/、，。；："
_RUN = re.compile(rf"([{_SEPARATORS}])[\s{_SEPARATORS}]*[{_SEPARATORS}]")
_SENTENCE_END = tuple(".!?…。！？")


@options
class RenderConfig:
    item: str = option("{title}. {description} {tags}", "Template of an item's text; may name any column of the items.")
    last: int = option(20, "Liked titles in a person's text, the newest; 0 is none.", low=0)
    reviews: int = option(3, "Own reviews in a person's text, the newest; 0 is none.", low=0)
    max_chars: int = option(2000, "Characters after which a text is cut.", low=1)


def item_texts(items: Catalogue, config: RenderConfig | None = None) -> tuple[str, ...]:
    """(n_items) each item's text: the template without its empty fields and what stood around them.

    Raises ConfigError where the template names no column of the catalogue.
    """
    config = config or RenderConfig()
    columns = {"title": items.title, "description": items.description, "tags": items.tags, **items.attributes}
    names = _names(config.item, columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    return tuple(render(config.item, dict(zip(names, row, strict=True)))[: config.max_chars].rstrip() for row in rows)


def history_texts(histories: Ragged, titles: Sequence[str], config: RenderConfig | None = None) -> tuple[str, ...]:
    """(B) per history the last liked titles, oldest first, each once; where they are too long the oldest go."""
    config = config or RenderConfig()
    return tuple(_history(history, titles, config.last, config.max_chars) for history in histories)


def user_texts(data: Dataset, users: Ints | Longs, config: RenderConfig | None = None) -> tuple[str, ...]:
    """(B) what known users say of themselves, then what they liked, then their own newest reviews.

    Reads `data` only: give the training part where a text must not know the future.
    """
    config = config or RenderConfig()
    wanted = np.asarray(users, np.int32)
    histories = data.histories().take(wanted)
    return tuple(_person(data, int(user), history, config) for user, history in zip(wanted, histories, strict=True))


def render(template: str, values: dict[str, str]) -> str:
    """A template filled in; an empty field goes with the brackets or the separator that belonged to it.

    >>> render("{title}. {description} {tags}", {"title": "Alien!", "description": "", "tags": "horror"})
    'Alien! horror'
    >>> render("{title} ({shelf})", {"title": "Alien", "shelf": ""})
    'Alien'
    """
    tidy = {name: " ".join(value.split()) for name, value in values.items()}
    text = _skeleton(template, frozenset(name for name, value in tidy.items() if not value))

    def filled(field: re.Match[str]) -> str:
        value = tidy[field[1]]
        return value if value.endswith(_SENTENCE_END) else value + field[2]

    return _FIELD_AND_STOP.sub(filled, text)


@cache
def _skeleton(template: str, empty: frozenset[str]) -> str:
    """The template without the empty fields; a full one stays as it is."""
    if not empty:
        return template
    text = _FIELD.sub(lambda field: "" if field[1] in empty else field[0], template)
    text = _RUN.sub(r"\1", _EMPTY_BRACKETS.sub("", text))
    text = re.sub(rf"\s+(?=[{_SEPARATORS}])", "", " ".join(text.split()))
    return text.strip(f" {_SEPARATORS}")


def _names(template: str, known: Iterable[str]) -> list[str]:
    """The fields of a template, each once; raises ConfigError where one is unknown or a brace is left over."""
    names = list(dict.fromkeys(_FIELD.findall(template)))
    listed = ", ".join(f"{{{name}}}" for name in known)
    for name in names:
        if name not in known:
            raise ConfigError(f'RenderConfig.item: "{{{name}}}" is no column of the items; known: {listed}')
    if not names or set("{}") & set(_FIELD.sub("", template)):
        raise ConfigError(f'RenderConfig.item: "{template}" is no template; write names in braces, known: {listed}')
    return names


def _history(history: Ints, titles: Sequence[str], last: int, room: int) -> str:
    """The newest titles that fit into `room` characters, oldest first; the newest is cut if it does not fit alone."""
    text = ""
    for item in list(dict.fromkeys(history[::-1].tolist()))[:last]:
        title = " ".join(titles[item].split())
        longer = "; ".join(part for part in (title, text) if part)
        if len(longer) > room:
            return text or longer[: max(room, 0)]
        text = longer
    return text


def _person(data: Dataset, user: int, history: Ints, config: RenderConfig) -> str:
    text = " ".join(data.users.text[user].split())[: config.max_chars]
    liked = _history(history, data.items.title, config.last, config.max_chars - len(text) - 2)
    parts = [text, liked, *_reviews(data, user, config.reviews)]
    return _sentences(parts)[: config.max_chars].rstrip()


def _reviews(data: Dataset, user: int, last: int) -> list[str]:
    """The user's newest reviews, newest first."""
    if not data.events.text or not last:
        return []
    start, stop = np.searchsorted(data.events.user, [user, user + 1])
    own = [" ".join(text.split()) for text in data.events.text[start:stop]]
    return [text for text in own if text][: -last - 1 : -1]


def _sentences(parts: Sequence[str]) -> str:
    """The parts that say something, with a full stop between them where there is none."""
    said = [part for part in parts if part]
    ended = [part if part.endswith(_SENTENCE_END) else f"{part}." for part in said[:-1]]
    return " ".join([*ended, *said[-1:]])
