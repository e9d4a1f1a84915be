"""The service's options as they are declared, with the values in force."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from sqlalchemy import make_url
from starlette.responses import Response

from palate.serve.console.texts import meaning
from palate.serve.console.visit import Page, Visit
from palate.serve.settings import ServeConfig


@dataclass(frozen=True, slots=True)
class Setting:
    """An option: its declaration, and the value in force."""

    name: str
    meaning: str
    value: str
    default: str
    low: float | None
    high: float | None
    choices: Sequence[str]

    @property
    def changed(self) -> bool:
        return self.value != self.default


def settings(visit: Visit) -> Response:
    """All of them; they are changed where the service is started."""
    return visit.page("settings.html", settings=declared(visit.service.config, visit.language), engine=_shown(visit))


def declared(config: ServeConfig, language: str) -> list[Setting]:
    """The options in the order of their declaration; of a database's address no password."""
    found = []
    for one in fields(ServeConfig):
        value, rules = getattr(config, one.name), one.metadata
        if one.name == "database" and value:
            value = make_url(value).render_as_string(hide_password=True)
        bounds = rules["low"], rules["high"], rules["choices"]
        told = meaning(language, one.name, rules["meaning"])
        found.append(Setting(one.name, told, _text(value), _text(one.default), *bounds))
    return found


def _text(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _shown(visit: Visit) -> str:
    return visit.service.engine.url.render_as_string(hide_password=True)


PAGES = (Page("/settings", settings, "admin"),)
