"""The console's sentences in each language, and which language a visitor is answered in."""

from collections.abc import Mapping

from starlette.requests import Request

from palate.serve.console import chinese, english

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "palate_language"
TEXTS: Mapping[str, Mapping[str, str]] = {"en": english.TEXTS, "zh": chinese.TEXTS}
OPTIONS: Mapping[str, Mapping[str, str]] = {"zh": chinese.OPTIONS}


def told(language: str, key: str, **values: object) -> str:
    """A sentence, with values in its gaps. Raises KeyError for one that is not there, which a test looks for."""
    sentence = TEXTS[language][key]
    return sentence.format(**values) if values else sentence


def meaning(language: str, option: str, declared: str) -> str:
    """What an option means, in the visitor's language if somebody wrote that, otherwise as it is declared."""
    return OPTIONS.get(language, {}).get(option, declared)


def known(key: str) -> bool:
    """Whether there is such a sentence."""
    return key in english.TEXTS


def preferred(request: Request) -> str:
    """What was chosen, or else what the browser asks for first of what there is, or else English."""
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    asked = []
    for place, part in enumerate(request.headers.get("accept-language", "")[:500].split(",")):
        name, _, weight = part.partition(";")
        asked.append((-_weight(weight), place, name.strip().lower().partition("-")[0]))
    return next((name for weight, _, name in sorted(asked) if name in LANGUAGES and weight), "en")


def _weight(text: str) -> float:
    number = text.strip().removeprefix("q=")
    try:
        return float(number) if number else 1.0
    except ValueError:
        return 0.0
