"""TALLRec's rows as yes-or-no questions to SmolLM2, as it is or tuned on the shots.

A prompt holds the counts of `evidence.person_text`, the liked and the disliked titles of the row's own history, and the
film with its genres.
"""

import torch

from benchmarks.evidence import asked_pairs, told_pairs
from benchmarks.sets.tallrec import Asked, Films
from palate.generate.local import LocalGenerator, LocalGeneratorConfig
from palate.runtime import Runtime
from palate.text.prompt import VERDICTS, PromptConfig, pointwise
from palate.train.diary import Diary
from palate.train.examples import Examples
from palate.train.llm import Course, LLMTrainerConfig
from palate.train.questions import Lesson, Question
from palate.types import Floats

STYLE = PromptConfig()


def prompts(pairs: Examples) -> list[str]:
    """(N) one for each pair."""
    return [pointwise(STYLE, person, item) for person, item in zip(pairs.people, pairs.items, strict=True)]


def log_odds_of_yes(generator: LocalGenerator, films: Films, rows: Asked) -> Floats:
    """(N,) log P(Yes) - log P(No)."""
    told = generator.score(prompts(asked_pairs(films, rows, titles=True)), VERDICTS[STYLE.language])
    odds: Floats = told[:, 0] - told[:, 1]
    return odds


def generator_of(config: LLMTrainerConfig) -> LocalGenerator:
    """The model that is tuned, as it is."""
    return LocalGenerator(LocalGeneratorConfig(model=config.model, dtype=config.dtype))


def tuned(
    films: Films, shots: Asked, config: LLMTrainerConfig, runtime: Runtime, *, every_film: bool = False
) -> Course:
    """The model after all epochs on the shots, since asking validation rows after each would take longer than they do.

    every_film: whether films of the histories are targets too, see `told_pairs`, or those of the rows alone.
    """
    pairs = (told_pairs if every_film else asked_pairs)(films, shots, titles=True)
    told = zip(prompts(pairs), pairs.liked, strict=True)
    questions = [Question(text, 0 if liked else 1) for text, liked in told]
    generator = generator_of(config)
    with torch.random.fork_rng(devices=[]):
        course = Course.of(
            config, generator, generator.open(), Lesson(lambda _: questions, len(questions), config.batch), runtime
        )
        course.run("tallrec", lambda: 0.0, config.seconds, runtime, Diary(None, 0.0, lambda _: None))
    return course
