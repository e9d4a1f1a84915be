"""What is known of people or items to what is written of them: rendered, or by a model and checked, or kept as it was.

Whatever a model writes is read back line by line and checked: a claim that is not supported is dropped and counted.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from palate.contracts import Generator

EDITED, GENERATED = "edited", "generated"
Parts = tuple[tuple[str, ...], ...]  # per line of a form what stands in it


class Made(Protocol):
    """What is written of one person or item.

    source: "generated", "edited", or the name of what it was rendered from.
    hash: what it was made from, a dash, and its text as it was made; 16 characters each.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def text(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def hash(self) -> str: ...


P = TypeVar("P", bound=Made)
P_co = TypeVar("P_co", bound=Made, covariant=True)
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class Form(Protocol[S_contra, P_co]):
    """How one kind of profile is written from what is known, S.

    heads: what its lines begin with. options: all that shapes what is rendered, for content hashes.
    """

    @property
    def heads(self) -> tuple[str, ...]: ...
    @property
    def options(self) -> str: ...
    @property
    def max_tokens(self) -> int: ...

    def rendered(self, seen: S_contra) -> Parts:
        """What is shown of it, best first."""
        ...

    def asked(self, seen: S_contra) -> str:
        """The prompt for a model; "" where there is nothing to write of."""
        ...

    def claims(self, text: str, part: int) -> list[str]:
        """The claims behind a head."""
        ...

    def supported(self, claim: str, part: int, seen: S_contra) -> str | None:
        """A claim in the words that it is kept in; None where what is known does not support it."""
        ...

    def line(self, name: str, parts: Parts, source: str | None, evidence: str) -> P_co:
        """What was made just now from what has this hash; source: None where it was rendered."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome(Generic[P]):
    """Profiles of people or items, and what became of them.

    rendered, generated, kept, edited: how many were made from what is known, written by a model, taken over as they
    were, and taken over since a person edited them.
    claims, dropped: what models claimed, and how much of it had no support.
    fallen_back: how many were rendered since nothing that a model wrote had support; counted in `rendered`.
    """

    profiles: tuple[P, ...]
    rendered: int = 0
    generated: int = 0
    kept: int = 0
    edited: int = 0
    claims: int = 0
    dropped: int = 0
    fallen_back: int = 0


def write(
    form: Form[S, P], seen: Mapping[str, S], earlier: Mapping[str, P], generator: Generator | None = None
) -> Outcome[P]:
    """One profile for each name of `seen`, in its order, and after them those of `earlier` that others have.

    earlier: profiles of an earlier run; edited ones stay, and so do those made of the same, with the same options
    and model.
    """
    maker = generator.identity if generator else ""
    keys = {name: short_hash(f"({form.options}, {maker!r}, {one!r})") for name, one in seen.items()}
    own = {name: earlier[name] for name in seen if name in earlier}
    done = {name: one for name, one in own.items() if edited(one) or evidence_of(one) == keys[name]}
    fresh = {name: form.line(name, form.rendered(seen[name]), None, keys[name]) for name in seen if name not in done}
    by_hand = {name: replace(one, source=EDITED) for name, one in done.items() if edited(one)}
    outcome: Outcome[P] = Outcome((), rendered=len(fresh), kept=len(done) - len(by_hand), edited=len(by_hand))
    if generator:
        outcome, fresh = _generated(generator, form, fresh, seen, outcome)
    made = {**done, **by_hand, **fresh}
    others = tuple(profile for name, profile in earlier.items() if name not in seen)
    return replace(outcome, profiles=(*(made[name] for name in seen), *others))


def checked(form: Form[S, P], text: str, seen: S) -> tuple[Parts, int, int]:
    """What a model wrote, as far as it is supported; how many claims it made, and how many were dropped.

    A claim counts once in its line; lines other than those of the form are claims without support.
    """
    kept: list[list[str]] = [[] for _ in form.heads]
    claims = dropped = 0
    for line in filter(None, map(str.strip, text.splitlines())):
        head, colon, rest = line.partition(":")
        if not colon or head.strip(" *-#").capitalize() not in form.heads:
            claims, dropped = claims + 1, dropped + 1
            continue
        part = form.heads.index(head.strip(" *-#").capitalize())
        for claim in dict.fromkeys(form.claims(rest, part)):
            said = form.supported(claim, part, seen)
            claims, dropped = claims + 1, dropped + (said is None)
            if said is not None and said not in kept[part]:
                kept[part].append(said)
    return tuple(map(tuple, kept)), claims, dropped


def in_form(heads: tuple[str, ...], between: tuple[str, ...], parts: Parts) -> str:
    """The parts as lines; a line without anything is left out."""
    rows = zip(heads, between, parts, strict=True)
    return "\n".join(f"{head}: {mark.join(values)}" for head, mark, values in rows if values)


def said_alone(claim: str) -> str:
    """A claim without what stands around it in a list; "" where it says that there is none."""
    bare = claim.strip(" .\"'")
    return "" if bare.casefold() in ("none", "nothing", "n/a") else bare


def seal(evidence: str, text: str) -> str:
    """The hash of what was made of evidence with this hash, and says this."""
    return f"{evidence}-{short_hash(text)}"


def evidence_of(one: Made) -> str:
    """The hash of what it was made from."""
    return one.hash.partition("-")[0]


def edited(one: Made) -> bool:
    """Whether a person wrote it or changed it since it was made."""
    return one.source == EDITED or one.hash.partition("-")[2] != short_hash(one.text)


def short_hash(text: str) -> str:
    """16 characters of a text's sha256."""
    return hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest()[:16]


def _generated(
    generator: Generator, form: Form[S, P], fresh: Mapping[str, P], seen: Mapping[str, S], outcome: Outcome[P]
) -> tuple[Outcome[P], dict[str, P]]:
    """Rendered profiles replaced by what a model wrote of the same, where anything of it has support."""
    asked = {name: prompt for name in fresh if (prompt := form.asked(seen[name]))}
    answers = generator.generate(list(asked.values()), form.max_tokens)
    made = dict(fresh)
    for name, answer in zip(asked, answers, strict=True):
        parts, claims, dropped = checked(form, answer, seen[name])
        outcome = replace(outcome, claims=outcome.claims + claims, dropped=outcome.dropped + dropped)
        if any(parts):
            made[name] = form.line(name, parts, GENERATED, evidence_of(fresh[name]))
            outcome = replace(outcome, generated=outcome.generated + 1, rendered=outcome.rendered - 1)
        else:
            outcome = replace(outcome, fallen_back=outcome.fallen_back + 1)
    return outcome, made
