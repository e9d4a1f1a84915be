"""Prompts for a language model that ranks, and its answers read so that only given candidates can come out.

What is known of a person comes first and a candidate last, so that a person's part is read once for all candidates.
Everything is cut by characters here, and line ends in titles are taken out: a title can start no line of its own.
"""

import re
from collections.abc import Sequence
from string import ascii_uppercase as LETTERS

from palate.config import option, options
from palate.text.titles import in_text


@options
class PromptConfig:
    language: str = option("en", "The language that a model is asked in.", choices=("en", "zh"))
    last: int = option(10, "Liked titles that a model is told, the newest.", low=0, high=200)
    title_chars: int = option(80, "Characters after which a title of the history is cut.", low=8)
    item_chars: int = option(200, "Characters after which a candidate's text is cut.", low=8)
    profile_chars: int = option(600, "Characters after which a profile or a wish is cut.", low=8)


_WORDS = {
    "en": {
        "profile": "About a person:\n{0}",
        "history": "They liked, oldest first: {0}.",
        "wish": "They ask for: {0}",
        "stranger": "Nothing is known about a person.",
        "between": "; ",
        "pointwise": "{0}\nWould they like this one?\n{1}\nAnswer Yes or No.",
        "listwise": "{0}\nWhich one would they like best?\n{1}\nAnswer with one letter.",
        "order": "{0}\nPut these in order, what they would like best first.\n{1}\nAnswer with letters and commas only.",
    },
    "zh": {
        "profile": "关于一位用户：\n{0}",
        "history": "这位用户喜欢过（由旧到新）：{0}。",
        "wish": "这位用户想要：{0}",
        "stranger": "对这位用户一无所知。",
        "between": "；",
        "pointwise": "{0}\n这位用户会喜欢下面这个吗？\n{1}\n请只回答“是”或“否”。",
        "listwise": "{0}\n下面哪一个是这位用户最喜欢的？\n{1}\n请只回答一个字母。",
        "order": "{0}\n请把下面各项从最喜欢到最不喜欢排序。\n{1}\n请只回答字母，用逗号隔开。",
    },
}
VERDICTS = {"en": ("Yes", "No"), "zh": ("是", "否")}


def person(config: PromptConfig, history: Sequence[str], profile: str = "", wish: str = "") -> str:
    """What a prompt tells of a person: the profile as it is, line by line, the last liked titles, and the wish."""
    words = _WORDS[config.language]
    titles = [_line(title, config.title_chars) for title in history[len(history) - config.last :] if config.last]
    said = {
        "profile": "\n".join(" ".join(line.split()) for line in profile[: config.profile_chars].splitlines()).strip(),
        "history": words["between"].join(titles),
        "wish": _line(wish, config.profile_chars),
    }
    return "\n".join(words[part].format(text) for part, text in said.items() if text) or words["stranger"]


def pointwise(config: PromptConfig, who: str, candidate: str) -> str:
    """Asks whether a person would like one candidate; the answers are VERDICTS."""
    return _WORDS[config.language]["pointwise"].format(who, _line(candidate, config.item_chars))


def listwise(config: PromptConfig, who: str, candidates: Sequence[str]) -> str:
    """Asks which of at most 26 lettered candidates a person would like best; the answers are LETTERS."""
    return _WORDS[config.language]["listwise"].format(who, _lettered(config, candidates))


def in_order(config: PromptConfig, who: str, candidates: Sequence[str]) -> str:
    """Asks for at most 26 lettered candidates in order, to be read by `chosen`."""
    return _WORDS[config.language]["order"].format(who, _lettered(config, candidates))


def chosen(text: str, candidates: Sequence[str]) -> list[int]:
    """Places of the candidates that an answer names, by letter or by title, in its order, each once.

    Only letters that stand for a candidate and stand alone count; words, other letters and other titles do not.

    >>> chosen("C > A, then Z and C.", ["Alien", "Brazil", "Casablanca"])
    [2, 0]
    >>> chosen("1. Brazil\\n2. A film I made up", ["Alien", "Brazil", "Casablanca"])
    [1]
    """
    parts = [re.match(r"\W*(?:then |and )?\W*([A-Z])\W*(?:$|[.):])", part) for part in re.split(r"[,;>\n，、；]", text)]
    bare = re.fullmatch(r"(?:\W*[A-Z]\b)+\W*", text)
    letters = re.findall(r"[A-Z]", text) if bare else [part[1] for part in parts if part]
    letters += re.findall(r"\b(?:then|and) ([A-Z])\b", text) if not bare else []
    places = [LETTERS.index(letter) for letter in letters if LETTERS.index(letter) < len(candidates)]
    return list(dict.fromkeys(places)) or in_text(text, candidates)


def _lettered(config: PromptConfig, candidates: Sequence[str]) -> str:
    lines = [f"{LETTERS[n]}. {_line(text, config.item_chars)}" for n, text in enumerate(candidates)]
    return "\n".join(lines)


def _line(text: str, most: int) -> str:
    return " ".join(text[: 4 * most].split())[:most].rstrip()
