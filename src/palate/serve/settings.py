"""The service's options: declared once, read from a TOML file, the environment and the command line, in that order."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from palate.config import configured, option, options
from palate.errors import ConfigError
from palate.serve.course import STAGES


@options
class ServeConfig:
    host: str = option("127.0.0.1", "The address to listen on; 0.0.0.0 is every one of the machine.")
    port: int = option(8080, "The port to listen on.", low=0, high=65535)
    database: str = option(
        "", "Where events, items, people and keys are kept, as SQLAlchemy writes addresses; a file beside the versions "
        "if not given.",
    )  # fmt: skip
    deadline_ms: int = option(500, "How long an answer may take where a request does not say.", low=10, high=60_000)
    give_up: str = option(
        ",".join(STAGES), "Stages that are left out, first to last, where the time is too short, by comma.",
    )  # fmt: skip
    encoder: str = option(
        "as-trained", "Arithmetic of the text encoder for what people ask; int8 is quicker and needs the extra onnx, "
        "items stay as trained.", choices=("as-trained", "int8"),
    )  # fmt: skip
    ranker: str = option(
        "as-trained", "Arithmetic of the cross-encoder, where a model has one; int8 is quicker and needs the extra "
        "onnx.", choices=("as-trained", "int8"),
    )  # fmt: skip
    waiting: int = option(64, "Requests for lists that may wait or be answered at one time; more are refused.", low=1)
    together: int = option(16, "Requests for lists that are answered together, at most.", low=1, high=512)
    writes_waiting: int = option(2000, "Writes that may wait for the disk; more are refused.", low=1)
    body_kb: int = option(1024, "Kilobytes of a request's body; more are refused.", low=1)
    rate: float = option(0.0, "Requests a second that one key may make, over ten seconds; 0 is any number.", low=0.0)
    cache_s: float = option(
        30.0, "Seconds for which a list is remembered while nothing changes; 0 not at all.", low=0.0
    )
    reserve_mb: int = option(200, "Megabytes of the disk that are left free: below, writes are refused.", low=0)
    exposures: bool = option(True, "Log which lists were shown, which comparisons of versions need.")
    interleave: bool = option(
        False, "Who is in a canary's share gets one list that it and the live version drafted in turn, which tells "
        "with fewer people which of them is better.",
    )  # fmt: skip
    retrain_events: int = option(0, "Train anew after so many events; 0 never.", low=0)
    retrain_hours: float = option(0.0, "Train anew after so many hours, if anything happened; 0 never.", low=0.0)
    retrain_budget_s: float = option(1800.0, "Seconds that training anew may take, about.", low=10.0)
    watch_s: float = option(30.0, "Seconds of answers by which a new version is judged while it serves.", low=1.0)
    watch_likes: bool = option(
        True, "Go back from a canary, or from a version that was forced, whose lists are shown to be liked less.",
    )  # fmt: skip
    watch_like_s: float = option(
        10.0, "Seconds after a list was shown in which a like of something in it counts for it.", low=0.1
    )
    watch_probation_h: float = option(
        24.0, "Hours for which a version that was forced is compared with the one before.", low=0.0
    )
    watch_drift: float = option(
        0.1, "Share of the likes that a version which was forced may lose before it is worse, as it has no control at "
        "the same time.", low=0.0, high=1.0,
    )  # fmt: skip

    @property
    def order(self) -> tuple[str, ...]:
        """The stages of `give_up`. Raises ConfigError for one that cannot be left out."""
        named = tuple(one.strip() for one in self.give_up.split(",") if one.strip())
        for one in named:
            if one not in STAGES:
                raise ConfigError(f'give_up: "{one}" cannot be left out; what can: {", ".join(STAGES)}')
        return named


def settings(file: Path | None = None, given: Mapping[str, Any] | None = None) -> ServeConfig:
    """The options in the table [serve] of a TOML file, over these those in PALATE_SERVE_<NAME>, over these `given`.

    Raises ConfigError where one is unknown, of the wrong type or out of range.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values |= tomllib.loads(file.read_text(encoding="utf8")).get("serve", {})
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: {error}") from None
    for one in fields(ServeConfig):
        text = os.environ.get(f"PALATE_SERVE_{one.name.upper()}")
        if text is not None:
            values[one.name] = _read(text, type(one.default), f"PALATE_SERVE_{one.name.upper()}")
    config = configured(ServeConfig, values | dict(given or {}), "serve")
    _ = config.order
    return config


def _read(text: str, kind: type, where: str) -> Any:
    """A value of the environment as its option's type."""
    try:
        return text.lower() in ("1", "true", "yes", "on") if kind is bool else kind(text)
    except ValueError:
        raise ConfigError(f'{where}: "{text}" is not {kind.__name__}') from None
