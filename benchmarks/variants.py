"""Recipes that benchmarks run beside those of `palate.build`, or otherwise than these."""

from dataclasses import replace

from palate.build import RECIPES, Recipe

BALANCED = RECIPES["balanced"]
IDS_ALONE = {"networks": 2, "content_scale": 0.0}  # the sequence model without text and attribute rows

CLASSIC = RECIPES["classic"]
TO_LISTS = {"reader": "lists"}  # the reader learns from lists like those that are asked about
CROSS = {"cross-encoder": RECIPES["tuned"].options["cross-encoder"]}
LLM = {"depth": 20, "lists": 1000, "held_out": 400, "negatives": 3, "epochs": 2, "batch": 16, "accumulate": 1}

VARIANTS = {
    "classic-with-cross-encoder": replace(CLASSIC, reader="cross-encoder", options=CROSS, blend=TO_LISTS),
    "classic-with-llm": replace(CLASSIC, reader="llm", options={"llm": LLM}, blend=TO_LISTS),
    "balanced-with-cross-encoder": replace(
        BALANCED, reader="cross-encoder", options={**BALANCED.options, **CROSS}, blend=TO_LISTS
    ),
    "popular": Recipe(("popular",), {"popular": {"half_life_days": 0.0}}),  # as published tables count
    "sequence-without-text": Recipe(("sequence",), {"sequence": {"content_scale": 0.0}}),
    "balanced-without-text": Recipe(
        tuple(part for part in BALANCED.parts if part not in ("bm25", "dense")), {"sequence": IDS_ALONE}
    ),
    "balanced-with-counts": replace(BALANCED, blend={"counts": True}),
    "balanced-without-newcomers": replace(BALANCED, blend={"newcomers": 0}),
}
