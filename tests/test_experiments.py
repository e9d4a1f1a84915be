"""The ready comparisons under docs/experiments: each names recipes that exist, and one of them runs."""

from pathlib import Path

import pytest

from conftest import checkerboard
from palate import build
from palate.cli.compare import described
from palate.runtime import Runtime

FOLDER = Path(__file__).parents[1] / "docs" / "experiments"
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recipe_of_a_ready_comparison_can_be_made(path):
    names, composed, _ = described(path)
    assert set(composed) <= set(names)
    for name in names:
        recipe = build.named(composed.get(name, name))
        for part in recipe.parts:
            assert build.make_part(part, recipe.options.get(part, {}), "auto")
        if recipe.reader:
            assert build.make_reader(recipe.reader, recipe.options.get(recipe.reader, {}), "auto")


def test_the_losses_of_a_sequence_model_are_compared_as_described():
    _, composed, _ = described(FOLDER / "by-loss.toml")
    one = composed["one-sampled"]
    small = {**one.options["sequence"], "epochs": 1, "dim": 8, "networks": 1, "text_dim": 8}
    made = build.fit(
        build.Recipe(one.parts, {"sequence": small}), checkerboard(), Runtime(quiet=True), encoder="hashing"
    )
    assert made.retriever.members[0].config.dim == 8
