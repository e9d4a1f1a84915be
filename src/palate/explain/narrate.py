"""Reasons to plain sentences, from templates: nothing is said that the evidence does not hold."""

from collections.abc import Mapping, Sequence

from palate.types import Reason

NAMED = 3  # parts in a sentence


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


def placed(contributions: Mapping[str, float]) -> str:
    """What moved an item up (+) or down (-) most when trees put the list in order, by name of the part.

    >>> placed({"history length": 0.01, "weighted sum": 0.3, "EASE": -0.25, "Dense": 0.25})
    'Put in order by weighted sum +0.30, EASE -0.25 and Dense +0.25.'
    """
    largest = sorted(contributions.items(), key=lambda one: -abs(one[1]))[:NAMED]
    *told, last = [f"{part} {value:+.2f}" for part, value in largest]
    return f"Put in order by {', '.join(told)} and {last}." if told else f"Put in order by {last}."
