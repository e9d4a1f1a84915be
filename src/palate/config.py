"""Options: declared once beside the class that uses them, checked whenever a configuration is made.

A declaration gives default, meaning and range; help texts, documentation and saved models read it.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

from palate.errors import ConfigError

C = TypeVar("C")


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` to `high`, both included; log: any factor is as likely as any other."""

    low: float
    high: float
    log: bool = False


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    tries: tuple[Any, ...] = (),
    search: Span | tuple[Any, ...] = (),
    asking: bool = False,
    about_values: bool = False,
) -> Any:
    """Declare one option of a configuration: its default, what it means and what it may be (bounds included).

    tries: values worth trying when the option is chosen on validation; none if it is not.
    search: where a search of a tuner's options looks, the default included; nowhere if it stays as it is.
    asking: whether it is read only when a request is answered, so that another value needs no new fit.
    about_values: whether it is about tags and attributes, so that without any another value changes nothing.
    """
    rules = {"low": low, "high": high, "choices": choices}
    chosen = {"tries": tries, "search": search, "asking": asking, "about_values": about_values}
    return dataclasses.field(default=default, metadata={"meaning": meaning, **rules, **chosen})


@dataclass_transform(frozen_default=True, kw_only_default=True)
def options(cls: type[C]) -> type[C]:
    """Turn a class of `option` declarations into a frozen, keyword-only dataclass that checks itself.

    >>> @options
    ... class Ageing:
    ...     half_life_days: float = option(30.0, "Age at which an event counts half.", low=0.0)
    >>> Ageing(half_life_days=-1.0)
    Traceback (most recent call last):
    palate.errors.ConfigError: Ageing.half_life_days: -1.0 is below 0.0
    """

    def check(self: Any) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            place = f"{type(self).__name__}.{field.name}"
            value = _typed(getattr(self, field.name), hints[field.name], place)
            object.__setattr__(self, field.name, value)
            _within(value, field.metadata, place)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def configured(cls: type[C], values: Mapping[str, Any], where: str) -> C:
    """Build a configuration from a mapping (TOML, keywords, a saved model); unknown keys are errors."""
    known = {field.name for field in dataclasses.fields(typing.cast(Any, cls))}
    for name in values:
        if name not in known:
            raise ConfigError(f"{where}.{name}: unknown option; known: {', '.join(sorted(known)) or 'none'}")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def narrowed(kind: type[C], config: Any) -> C:
    """The options of one kind among those of a configuration that has more."""
    return kind(**{one.name: getattr(config, one.name) for one in dataclasses.fields(typing.cast(Any, kind))})


def worth_trying(config: Any, has_values: Callable[[], bool] = lambda: True) -> list[tuple[str, Any, bool]]:
    """(name, value, asking) for every value of every option that is chosen on validation, the cheap ones first.

    has_values: whether items have tags or attributes that tell something; asked only where an option is about them.
    """
    fields = [(field.name, field.metadata) for field in dataclasses.fields(config)]
    fields = [(name, rules) for name, rules in fields if not rules.get("about_values") or has_values()]
    found = [(name, value, rules["asking"]) for name, rules in fields for value in rules.get("tries", ())]
    return sorted(found, key=lambda one: not one[2])


def _typed(value: Any, kind: Any, place: str) -> Any:
    """The value as its declared type, an int standing for a float; anything else is an error."""
    allowed = typing.get_args(kind) or (kind,)
    if isinstance(value, int) and not isinstance(value, bool) and float in allowed and int not in allowed:
        return float(value)
    if not any(isinstance(value, one) for one in allowed) or (isinstance(value, bool) and bool not in allowed):
        names = " or ".join(getattr(one, "__name__", str(one)) for one in allowed)
        raise ConfigError(f"{place}: {value!r} is not {names}")
    return value


def _within(value: Any, rules: Mapping[str, Any], place: str) -> None:
    if rules.get("choices") and value not in rules["choices"]:
        raise ConfigError(f"{place}: {value!r} is not one of {', '.join(rules['choices'])}")
    if value is None or isinstance(value, str | bool):
        return
    if value != value:
        raise ConfigError(f"{place}: nan is not a number")
    if rules.get("low") is not None and value < rules["low"]:
        raise ConfigError(f"{place}: {value} is below {rules['low']}")
    if rules.get("high") is not None and value > rules["high"]:
        raise ConfigError(f"{place}: {value} is above {rules['high']}")
