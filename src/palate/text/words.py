"""A text to its words, in any script, and to the words and phrases that could name something."""

import re
import unicodedata
from itertools import pairwise

_HAN_KANA = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # written without spaces
_RUN = re.compile(f"[{_HAN_KANA}]+|[^\\W{_HAN_KANA}]+")
_SPACELESS = re.compile(f"[{_HAN_KANA}]")
_PAUSE = re.compile(r"[.,;:!?|()\[\]\"/\n。，、；：！？（）「」]+")


def words(text: str) -> list[str]:
    """The words of a text, casefolded; Chinese and Japanese as single characters and pairs of neighbours.

    >>> words("Quiet SCIENCE-fiction, 雨の夜")
    ['quiet', 'science', 'fiction', '雨', 'の', '夜', '雨の', 'の夜']
    """
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if _SPACELESS.match(run):
            found += [*run, *(a + b for a, b in pairwise(run))]
        else:
            found.append(run)
    return found


def terms(text: str) -> list[str]:
    """The words of a text and its phrases: two neighbours with a blank between, and no punctuation but a hyphen.

    >>> terms("Toy Story, 雨の夜")
    ['toy', 'story', 'toy story', '雨', 'の', '夜', '雨の', 'の夜']
    """
    found: list[str] = []
    for part in _PAUSE.split(text):
        own = words(part)
        found += own
        found += [f"{a} {b}" for a, b in pairwise(own) if not (_SPACELESS.match(a) or _SPACELESS.match(b))]
    return found
