"""Titles as people and models write them, matched with titles of a catalogue."""

import re
from collections.abc import Iterable, Sequence

_YEAR = re.compile(r"\s*[(\[（]\d{4}[)\]）]\s*$")
_OTHER = re.compile(r"[\W_]+")
_ARTICLE = re.compile(r"(.*), (the|a|an)", re.IGNORECASE)


def plain(title: str) -> str:
    """A title in small letters without its year, punctuation, and an article moved behind it.

    >>> plain("Matrix, The (1999)") == plain(" the MATRIX ")
    True
    """
    bare = _YEAR.sub("", " ".join(title.split()))
    if moved := _ARTICLE.fullmatch(bare):
        bare = f"{moved[2]} {moved[1]}"
    return _OTHER.sub(" ", bare.casefold()).strip() or title.strip()


def supported(claim: str, titles: Iterable[str]) -> str | None:
    """The title that a claim names; None where it names none of them.

    Exactly as written, else without year, case and punctuation, if that fits one title alone.
    """
    listed = list(dict.fromkeys(titles))
    if claim in listed:
        return claim
    if _YEAR.search(claim):  # another year is another item
        fits = [title for title in listed if _year(title) in ("", _year(claim)) and plain(title) == plain(claim)]
    else:
        fits = [title for title in listed if plain(title) == plain(claim)]
    return fits[0] if len(fits) == 1 else None


def in_text(text: str, titles: Sequence[str]) -> list[int]:
    """Places of the titles that lines of a text name, in the order of the text, each once; nothing else can come out.

    A line may begin with a number or a letter and a stop, as lists do.
    """
    found: list[int] = []
    for line in text.splitlines():
        bare = re.sub(r"^\s*(?:[-*•]|\d+[.)]|[A-Z][.)])\s*", "", line).strip(" \"'“”")
        title = supported(bare, titles) if bare else None
        if title is not None and titles.index(title) not in found:
            found.append(titles.index(title))
    return found


def _year(title: str) -> str:
    found = _YEAR.search(title)
    return re.sub(r"\D", "", found[0]) if found else ""
