"""Recipes to recommenders: the one table from kind-word to class."""

import importlib.util
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from palate import store
from palate.assets import check_model
from palate.config import configured
from palate.contracts import Encoder, Generator, ListTrainer, Ranker
from palate.data.dataset import Catalogue, Dataset, Events, IdMap, People
from palate.encode.hashing import HashingConfig, HashingEncoder
from palate.encode.joined import JoinedEncoder
from palate.errors import ConfigError, PalateWarning, StoreError
from palate.explain.evidence import Evidence, EvidenceConfig
from palate.generate.local import LocalGenerator, LocalGeneratorConfig
from palate.generate.remote import RemoteGenerator, RemoteGeneratorConfig
from palate.guard.rules import Rules
from palate.pipeline import Recommender
from palate.rank.cross import CrossEncoder, CrossEncoderConfig
from palate.rank.diversify import Diversify, DiversifyConfig
from palate.rank.features import FeatureRanker, FeatureRankerConfig
from palate.rank.llm import LLMRanker, LLMRankerConfig
from palate.rank.newcomers import Newcomers
from palate.retrieve.approximate import Codes
from palate.retrieve.dense import Dense, DenseConfig
from palate.retrieve.ease import EASE, EASEConfig
from palate.retrieve.fuse import Fused, FusedConfig
from palate.retrieve.ials import IALS, IALSConfig
from palate.retrieve.lexical import Lexical, LexicalConfig
from palate.retrieve.neighbours import ItemKNN, ItemKNNConfig
from palate.retrieve.popular import Popular, PopularConfig
from palate.retrieve.sequence import Sequence as SequenceModel
from palate.retrieve.sequence import SequenceConfig
from palate.retrieve.transition import Transition, TransitionConfig
from palate.runtime import Runtime
from palate.text.prompt import PromptConfig
from palate.train.blend import Blend
from palate.train.lesson import BlendConfig
from palate.train.llm_folder import opened
from palate.tuning.methods import MethodConfig

DEFAULT_MODEL = "all-minilm-l6-v2"

LEAST_TO_TRAIN = 1_000  # likes that a network learns anything from

# How loud each part is when a wish is asked, on the scale of z-scores: meaning leads, words and popularity break ties.
# Chosen among 31 settings on 559 tags that people gave films in movielens-small; nothing was held out (docs/log.md).
WISH_WEIGHTS = {"dense": 1.0, "bm25": 0.05, "popular": 0.2}

PARTS: dict[str, tuple[type, type]] = {
    "popular": (Popular, PopularConfig),
    "transition": (Transition, TransitionConfig),
    "item-knn": (ItemKNN, ItemKNNConfig),
    "ease": (EASE, EASEConfig),
    "ials": (IALS, IALSConfig),
    "bm25": (Lexical, LexicalConfig),
    "dense": (Dense, DenseConfig),
    "sequence": (SequenceModel, SequenceConfig),  # made by SequenceTrainer
    "tuned-dense": (Dense, DenseConfig),  # made by TextTrainer
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which retrievers run and how they are tuned.

    parts: kind-words of PARTS; several are blended as held-out likes teach.
    options: per part, and for the reader, its options by name; blend: those of `BlendConfig`.
    reader: one of READERS, tuned on what the blend shows and kept only where it helps; "" for none.
    """

    parts: tuple[str, ...]
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    blend: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""
    reader: str = ""


READERS = ("cross-encoder", "llm")  # made by RankerTrainer and LLMTrainer

_BALANCED = ("popular", "transition", "item-knn", "ease", "ials", "bm25", "dense", "sequence")

RECIPES: dict[str, Recipe] = {
    "popular": Recipe(("popular",), meaning="popularity with ageing: the floor"),
    "zero-shot": Recipe(("dense",), options={"dense": {"focus": 4.0}}, meaning="frozen text encoder, no training"),
    "classic": Recipe(
        ("popular", "transition", "item-knn", "ease", "ials"), meaning="behaviour models blended: the honest baseline"
    ),
    "balanced": Recipe(
        _BALANCED,
        options={"sequence": {"networks": 2}},
        meaning="behaviour and text blended: the default",
    ),
    **{part: Recipe((part,), meaning="one part alone") for part in PARTS if part != "popular"},
    "tuned-dense": Recipe(
        ("tuned-dense",), options={"tuned-dense": {"focus": 4.0}}, meaning="text encoder tuned on the likes, alone"
    ),
    "tuned": Recipe(
        (*_BALANCED, "tuned-dense"),
        reader="cross-encoder",
        options={"sequence": {"networks": 2}, "cross-encoder": {"people": 1000, "epochs": 2}},
        meaning="balanced with a tuned text encoder and a tuned cross-encoder, each where it helps",
    ),
    "llm": Recipe(
        _BALANCED,
        reader="llm",
        options={"sequence": {"networks": 2}, "llm": {"lists": 300, "held_out": 120, "epochs": 2}},
        meaning="balanced with a tuned small language model that reads the first places, where it helps",
    ),
}


def fit(
    recipe: str | Recipe,
    data: Dataset,
    runtime: Runtime,
    *,
    encoder: str = "auto",
    diversify: Mapping[str, Any] | None = None,
    budget: float = math.inf,
    newcomers: int = BlendConfig.newcomers,
    llm: str | Path | None = None,
    ranker: str | Path | None = None,
) -> Recommender:
    """A recipe, by name or composed, made and fitted on a data set.

    Of several parts, those that the data cannot feed are left out; `decisions` tells which.
    encoder: see `make_encoder`. diversify: see `make_diversify`; it ranks last.
    budget: seconds that fitting may take, about (see `Blend`); what comes out then hangs on the machine.
    newcomers: see `BlendConfig`; they are placed after everything else.
    llm: the folder of a tuned language model; ranker: see `make_ranker`; they rank after the recipe's own rankers.
    Raises ConfigError for an unknown recipe, part or option.
    """
    recipe = named(recipe)
    last: tuple[Ranker, ...] = (make_ranker(ranker, data.items),) if ranker else ()
    last += (opened(Path(llm), kinds()).fit(data, runtime),) if llm else ()
    last += (make_diversify(diversify, encoder).fit(data, runtime),) if diversify else ()
    wanted = (*recipe.parts, recipe.reader) if recipe.reader else recipe.parts
    left_out = unfed(wanted, data, encoder) if len(wanted) > 1 else {}
    parts = [part for part in recipe.parts if part not in left_out] or ["popular"]
    reader = recipe.reader if recipe.reader not in left_out else ""
    members = tuple(make_part(part, recipe.options.get(part, {}), encoder) for part in parts)
    config = configured(BlendConfig, {"seconds": budget, "newcomers": newcomers, **recipe.blend}, "blend")
    blend = Blend(
        config,
        members=members,
        wish_weights=_wish_weights(parts),
        standby=Popular(),
        reader=make_reader(reader, recipe.options.get(reader, {}), encoder) if reader else None,
    )
    retriever, rankers, lists = blend.fit(data, runtime)
    if left_out:
        retriever = replace(retriever, record={**retriever.record, "left_out": left_out})
    if retriever.newcomers and retriever.cold is not None:
        last = (*last, Newcomers(retriever.newcomers, retriever.cold))
    outside = Recommender(lists.retriever, (*lists.rankers, *last)) if lists else None
    return Recommender(retriever, (*rankers, *last), guards=(Rules(),), explainer=Evidence(), lists=outside)


def named(recipe: str | Recipe) -> Recipe:
    """The recipe of that name, or the one given, with all its parts known. Raises ConfigError."""
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise ConfigError(f'recipe "{recipe}": unknown; known: {", ".join(RECIPES)}')
        recipe = RECIPES[recipe]
    if recipe.reader and recipe.reader not in READERS:
        raise ConfigError(f'recipe reader "{recipe.reader}": unknown; known: {", ".join(READERS)}')
    for name in (*recipe.parts, *(recipe.options.keys() - set(READERS))):
        if name not in PARTS:
            raise ConfigError(f'recipe part "{name}": unknown; known: {", ".join(PARTS)}')
    return recipe


def unfed(parts: Sequence[str], data: Dataset, encoder: str = "auto") -> dict[str, str]:
    """The parts that this data set, or this installation, gives nothing to work with, each with the reason."""
    reasons: dict[str, str] = {}
    if data.events.clock == "none" and len(data.events):
        reasons |= dict.fromkeys(("transition", "sequence"), "the log has neither times nor an order")
    if not any(data.items.title) and not any(data.items.description) and not any(data.items.tags):
        reasons |= dict.fromkeys(("bm25", "dense", "tuned-dense", *READERS), "the items have no texts")
    likes = int(data.events.liked.sum())
    needed = {"sequence": ("torch", "text"), **dict.fromkeys(("tuned-dense", *READERS), ("peft", "train"))}
    for part, (package, extra) in needed.items():
        if likes < LEAST_TO_TRAIN:
            reasons.setdefault(part, f"{likes:,} likes are too few to train on; it takes {LEAST_TO_TRAIN:,}")
        if importlib.util.find_spec(package) is None:
            reasons[part] = f'{package} is not installed; pip install "palate[{extra}]"'
    if encoder == "hashing":
        reasons |= dict.fromkeys(("tuned-dense", *READERS), "the hashing encoder has nothing to tune")
    if not likes:
        reasons |= dict.fromkeys(("transition", "item-knn", "ease", "ials"), "nobody liked anything")
    return {part: reason for part, reason in reasons.items() if part in parts}


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


def make_part(name: str, values: Mapping[str, Any], encoder: str) -> Any:
    """A part by its kind-word, with these options of its own, unfitted: a retriever or what becomes one by training."""
    if name == "sequence":
        from palate.train.sequence import SequenceTrainer, SequenceTrainerConfig  # torch takes seconds to load

        return SequenceTrainer(configured(SequenceTrainerConfig, values, name), encoder=make_encoder(encoder))
    if name == "tuned-dense":
        if encoder == "hashing":
            raise ConfigError(
                'recipe part "tuned-dense": the hashing encoder has nothing to tune; name a language model'
            )
        from palate.train.text import TextTrainer, TextTrainerConfig  # as above

        model = DEFAULT_MODEL if encoder == "auto" else encoder
        return TextTrainer(configured(TextTrainerConfig, {"model": model, **values}, name))
    kind, options = PARTS[name]
    config: Any = configured(options, values, name)
    return kind(config, encoder=make_encoder(encoder)) if kind is Dense else kind(config)


def make_reader(name: str, values: Mapping[str, Any], encoder: str) -> ListTrainer:
    """One of READERS with these options, to be taught."""
    if name == "llm":
        from palate.train.llm import LLMTrainer, LLMTrainerConfig  # torch takes seconds to load

        return LLMTrainer(configured(LLMTrainerConfig, values, name))
    from palate.train.ranker import RankerTrainer, RankerTrainerConfig  # as above

    model = DEFAULT_MODEL if encoder == "auto" else encoder
    return RankerTrainer(configured(RankerTrainerConfig, {"model": model, **values}, name))


def make_generator(name: str, seed: int = 0) -> Generator:
    """The language model of that name: a known one, a local folder, a hub id, or "http://HOST/v1#MODEL" for a service.

    Nothing is loaded yet, but a name that is nothing of these is refused. Raises AssetError or ConfigError.
    """
    if name.startswith(("http://", "https://")):
        address, _, model = name.partition("#")
        return RemoteGenerator(RemoteGeneratorConfig(address=address, model=model, seed=seed))
    check_model(name)
    return LocalGenerator(LocalGeneratorConfig(model=name, seed=seed))


def make_diversify(values: Mapping[str, Any], encoder: str = "auto") -> Diversify:
    """The ranker with these options of DiversifyConfig; raises ConfigError for one that is unknown or out of range."""
    config = configured(DiversifyConfig, values, "diversify")
    return Diversify(config, make_encoder(encoder) if config.mmr and config.alike == "text" else None)


def make_ranker(folder: str | Path, items: Catalogue) -> CrossEncoder:
    """The ranker that `palate tune ranker` saved in a folder, over the items of a catalogue.

    Raises StoreError where the folder holds none, or weights that do not fit; AssetError where the model that it was
    tuned on is gone or is another one.
    """
    found = store.load(Path(folder), kinds())
    if not isinstance(found, CrossEncoder):
        raise StoreError(f"{folder}: a saved model, not a ranker; make one with `palate tune ranker DATA --out FOLDER`")
    found.open()  # what does not fit is told now, not when the first list is asked for
    return found.about(items)


def kinds() -> dict[str, type]:
    """Every class that a saved model may hold, by name."""
    from palate.encode.transformer import TransformerConfig, TransformerEncoder

    parts = [kind for pair in PARTS.values() for kind in pair]
    values = [Dataset, Catalogue, People, Events, IdMap, Recommender, Rules, Evidence, EvidenceConfig]
    values += [Diversify, DiversifyConfig, Newcomers, CrossEncoder, CrossEncoderConfig, MethodConfig]
    texts = [HashingEncoder, HashingConfig, JoinedEncoder, TransformerEncoder, TransformerConfig]
    writers = [LLMRanker, LLMRankerConfig, PromptConfig, LocalGenerator, LocalGeneratorConfig]
    writers += [RemoteGenerator, RemoteGeneratorConfig]
    blend = [Fused, FusedConfig, FeatureRanker, FeatureRankerConfig, Codes]
    return {kind.__name__: kind for kind in (*parts, *values, *texts, *writers, *blend)}


def decisions(recommender: Recommender) -> dict[str, Any]:
    """What was decided on held-out likes while fitting, as plain values; {} where nothing was to be decided."""
    return dict(getattr(recommender.retriever, "record", {}))


def _wish_weights(parts: Sequence[str]) -> tuple[float, ...]:
    """Whom a wish is heard by; equal weights where WISH_WEIGHTS names none of the parts."""
    weights = tuple(WISH_WEIGHTS.get(part, 0.0) for part in parts)
    return weights if any(weights) else ()
