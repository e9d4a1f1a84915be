"""Versions of the model: which there are, what they are made of, and which answer; and what their data is like."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from palate.errors import ConfigError
from palate.serve.attempt import Attempt, moment
from palate.serve.console.quality import findings, notes
from palate.serve.console.visit import Page, Versions, Visit

CARD = ("recipe", "when", "seed", "encoder", "palate", "note", "parent")  # what of a card is shown above the rest


@dataclass(frozen=True, slots=True)
class Row:
    """One version as the page shows it; gate: what its judgement against the live version came to, "" without one."""

    id: str
    state: str
    facts: Mapping[str, str]
    gate: str
    card: str


def versions(visit: Visit) -> Response:
    """All of them; where there is no registry, the one that answers."""
    if visit.registry is None:
        live = visit.service.live
        about = {name: value for name, value in live.model.about.items() if name != "files"}
        rows = [_row(live.name, "live", about)]
    else:
        rows = [_row(one.id, one.state, one.card) for one in reversed(visit.registry.versions())]
    last = Attempt.last(visit.service.folder)
    return visit.page("versions.html", rows=rows, registry=visit.registry is not None, last=last, moment=moment)


def promote(visit: Visit) -> Response:
    """Let a version answer everybody."""
    _registry(visit).promote(visit.form.get("id", ""), who=_who(visit))
    return visit.to("/versions", "promoted")


def roll_back(visit: Visit) -> Response:
    """Let the previous version answer again."""
    _registry(visit).rollback(who=_who(visit))
    return visit.to("/versions", "rolled_back")


def canary(visit: Visit) -> Response:
    """Let a version answer some of the people."""
    text = visit.form.get("percent", "")
    try:
        share = float(text) / 100
    except ValueError:
        raise ConfigError(f'percent: "{text}" is not a number') from None
    _registry(visit).canary(visit.form.get("id", ""), share, who=_who(visit))
    return visit.to("/versions", "canary_begun")


def end_canary(visit: Visit) -> Response:
    """Let the live version answer everybody again."""
    _registry(visit).end_canary(who=_who(visit))
    return visit.to("/versions", "canary_ended")


def train(visit: Visit) -> Response:
    """Begin to train anew."""
    _registry(visit).train()
    return visit.to("/versions", "training_begun")


def quality(visit: Visit) -> Response:
    """What the live version's data is like."""
    return visit.page("quality.html", findings=findings(visit.service), notes=notes(visit.service))


def _registry(visit: Visit) -> Versions:
    if visit.registry is None:
        raise ConfigError("one version is served, without a registry; publish versions to change between them")
    return visit.registry


def _who(visit: Visit) -> str:
    """How the audit calls who did it."""
    return f"{visit.key.name} ({visit.key.key_id})" if visit.key else ""


def _row(name: str, state: str, card: Mapping[str, Any]) -> Row:
    facts = {one: _fact(one, str(card[one])) for one in CARD if card.get(one) not in (None, "")}
    gate = card.get("gate") or {}
    told = ": ".join(
        part for part in (str(gate.get("verdict", "")), " ".join(map(str, gate.get("reasons", ())))) if part
    )
    return Row(name, state, facts, told, json.dumps(dict(card), indent=2, ensure_ascii=False, default=str))


def _fact(name: str, value: str) -> str:
    return value[:19].replace("T", " ") if name == "when" else value


PAGES = (
    Page("/versions", versions, "viewer"),
    Page("/versions/promote", promote, "operator", "POST"),
    Page("/versions/roll-back", roll_back, "operator", "POST"),
    Page("/versions/canary", canary, "operator", "POST"),
    Page("/versions/end-canary", end_canary, "operator", "POST"),
    Page("/versions/train", train, "operator", "POST"),
    Page("/quality", quality, "viewer"),
)
