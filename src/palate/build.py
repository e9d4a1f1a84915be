"""Recipes to recommenders: the one table from kind-word to class."""

import dataclasses
import importlib.util
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from palate.config import configured
from palate.contracts import Encoder, Retriever
from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.encode.hashing import HashingConfig, HashingEncoder
from palate.errors import ConfigError, PalateWarning
from palate.explain.evidence import Evidence, EvidenceConfig
from palate.guard.rules import Rules
from palate.pipeline import Recommender
from palate.rank.diversify import Diversify, DiversifyConfig
from palate.retrieve.dense import Dense, DenseConfig
from palate.retrieve.ease import EASE, EASEConfig
from palate.retrieve.fuse import Fused, FusedConfig
from palate.retrieve.ials import IALS, IALSConfig
from palate.retrieve.lexical import Lexical, LexicalConfig
from palate.retrieve.neighbours import ItemKNN, ItemKNNConfig
from palate.retrieve.popular import Popular, PopularConfig
from palate.runtime import Runtime

DEFAULT_MODEL = "all-minilm-l6-v2"

# How loud each part is when a wish is asked, on the scale of z-scores: meaning leads, words and popularity break ties.
# Chosen among 31 settings on 559 tags that people gave films in movielens-small; nothing was held out (docs/log.md).
WISH_WEIGHTS = {"dense": 1.0, "bm25": 0.05, "popular": 0.2}

PARTS: dict[str, tuple[type, type]] = {
    "popular": (Popular, PopularConfig),
    "item-knn": (ItemKNN, ItemKNNConfig),
    "ease": (EASE, EASEConfig),
    "ials": (IALS, IALSConfig),
    "bm25": (Lexical, LexicalConfig),
    "dense": (Dense, DenseConfig),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which retrievers run and how they are tuned.

    parts: kind-words of PARTS; several are blended with weights learned from held-out likes.
    options: per part its options by name.
    Everything that no part can say anything about (a stranger without a word) is answered from popularity.
    """

    parts: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    meaning: str = ""


RECIPES: dict[str, Recipe] = {
    "popular": Recipe(("popular",), meaning="popularity with ageing: the floor"),
    "zero-shot": Recipe(("dense",), meaning="frozen text encoder, no training"),
    "classic": Recipe(("popular", "item-knn", "ease", "ials"), meaning="behaviour models blended: the honest baseline"),
    "balanced": Recipe(
        ("popular", "item-knn", "ease", "ials", "bm25", "dense"), meaning="behaviour and text blended: the default"
    ),
    **{part: Recipe((part,), meaning="one part alone") for part in PARTS if part != "popular"},
}


def fit(
    recipe: str | Recipe,
    data: Dataset,
    runtime: Runtime,
    *,
    encoder: str = "auto",
    diversify: Mapping[str, Any] | None = None,
) -> Recommender:
    """A recipe, by name or composed, made and fitted on a data set.

    encoder: see `make_encoder`. diversify: see `make_diversify`; it ranks last.
    Raises ConfigError for an unknown recipe, part or option.
    """
    made = make(recipe, encoder=encoder)
    last = (make_diversify(diversify, encoder).fit(data, runtime),) if diversify else ()
    return dataclasses.replace(made, retriever=made.retriever.fit(data, runtime), rankers=(*made.rankers, *last))


def make(recipe: str | Recipe, *, encoder: str = "auto") -> Recommender:
    """The recommender of a recipe, not yet fitted."""
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise ConfigError(f'recipe "{recipe}": unknown; known: {", ".join(RECIPES)}')
        recipe = RECIPES[recipe]
    for name in (*recipe.parts, *recipe.options):
        if name not in PARTS:
            raise ConfigError(f'recipe part "{name}": unknown; known: {", ".join(PARTS)}')
    members = [_part(name, recipe.options.get(name, {}), encoder) for name in recipe.parts]
    return Recommender(_together(recipe.parts, members), guards=(Rules(),), explainer=Evidence())


def make_encoder(name: str) -> Encoder:
    """The encoder of that name: "hashing", a known model, a local folder or a hub id.

    "auto" is MiniLM where the packages for it are installed, else hashing, with a PalateWarning.
    """
    if name == "auto" and importlib.util.find_spec("sentence_transformers") is None:
        text = 'texts are read by the hashing encoder; for a language model: pip install "palate[text]"'
        warnings.warn(text, PalateWarning, stacklevel=2)
        name = "hashing"
    if name == "hashing":
        return HashingEncoder()
    from palate.encode.transformer import TransformerConfig, TransformerEncoder

    return TransformerEncoder(TransformerConfig(model=DEFAULT_MODEL if name == "auto" else name))


def make_diversify(values: Mapping[str, Any], encoder: str = "auto") -> Diversify:
    """The ranker with these options of DiversifyConfig; raises ConfigError for one that is unknown or out of range."""
    config = configured(DiversifyConfig, values, "diversify")
    return Diversify(config, make_encoder(encoder) if config.mmr and config.alike == "text" else None)


def kinds() -> dict[str, type]:
    """Every class that a saved model may hold, by name."""
    from palate.encode.transformer import TransformerConfig, TransformerEncoder

    parts = [kind for pair in PARTS.values() for kind in pair]
    values = [Dataset, Catalogue, People, Events, IdMap, Recommender, Rules, Evidence, EvidenceConfig]
    values += [Diversify, DiversifyConfig]
    texts = [HashingEncoder, HashingConfig, TransformerEncoder, TransformerConfig]
    return {kind.__name__: kind for kind in (*parts, *values, *texts, Fused, FusedConfig)}


def decisions(recommender: Recommender) -> list[dict[str, Any]]:
    """What was decided on held-out likes while fitting, as plain values."""
    return [dict(fused.record_) for fused in _fused(recommender.retriever) if fused.record_]


def told(decision: Mapping[str, Any]) -> str:
    """One of the `decisions` as a sentence."""
    members = ", ".join(decision["members"])
    if "ndcg@10 blend" not in decision:
        return (
            f"Blend of {members} with equal weights: {decision['held_out']} held-out likes are too few to learn from."
        )
    blend, alone = decision["ndcg@10 blend"], max(decision["ndcg@10 alone"])
    verdict = "used" if decision["passed"] else "not used, the best part alone is"
    held_out = decision["held_out"]
    return (
        f"Blend of {members}: NDCG@10 {blend:.4f} on {held_out} held-out likes, best part alone {alone:.4f}; {verdict}."
    )


def _part(name: str, values: Mapping[str, Any], encoder: str) -> Retriever:
    kind, options = PARTS[name]
    config: Any = configured(options, values, name)
    made: Retriever = kind(config, encoder=make_encoder(encoder)) if kind is Dense else kind(config)
    return made


def _together(parts: tuple[str, ...], members: list[Retriever]) -> Retriever:
    """One retriever of several; popularity stands by for requests that the others have nothing to say on."""
    if parts == ("popular",):
        return members[0]
    asked = tuple(WISH_WEIGHTS.get(part, 0.0) for part in parts)
    wish = asked if any("text" in member.reads for member in members) else ()
    if len(members) > 1:
        return Fused(members=tuple(members), wish_weights=wish)
    return Fused(FusedConfig(method="fixed"), members=(members[0], Popular()), weights=(1.0, 0.0))


def _fused(retriever: Retriever) -> Iterator[Fused]:
    if isinstance(retriever, Fused):
        yield retriever
        for member in retriever.members:
            yield from _fused(member)
