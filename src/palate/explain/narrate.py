"""Reasons to plain sentences, from templates: nothing is said that the evidence does not hold."""

from collections.abc import Sequence

from palate.types import Reason


def sentence(reason: Reason, titles: Sequence[str], wish: str = "") -> str:
    """One reason in words; `titles` are those of the catalogue, by row number.

    >>> sentence(Reason("history", (0, 1), 0.8, decisive=True), ["Alien", "Solaris"])
    'Because you liked “Alien” and “Solaris”; without “Alien” it would not be on this list.'
    >>> sentence(Reason("popularity"), [])
    'Popular with others.'
    >>> sentence(Reason("history"), [])
    'Because of what you liked, taken together.'
    """
    if reason.kind == "popularity":
        return "Popular with others."
    if reason.kind == "text":
        tail = "; without it this would not be on the list" if reason.decisive else ""
        return f"Its text is close to “{wish}”{tail}."
    if not reason.items:
        return "Because of what you liked, taken together."
    named = [f"“{titles[item]}”" for item in reason.items]
    tail = f"; without {named[0]} it would not be on this list" if reason.decisive else ""
    return f"Because you liked {' and '.join(named)}{tail}."
