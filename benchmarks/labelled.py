"""Results of TALLRec's rows as JSON to their section of docs/benchmarks.md: models, published figures and counting."""

import json
from pathlib import Path
from typing import Any

PUBLISHED = {  # AUC x 100 by shots
    "TALLRec, LLaMA-7B with LoRA (published)": {16: 67.24, 64: 67.48, 256: 71.98},
    "GRU4Rec (published)": {16: 49.1, 64: 49.9, 256: 52.9},
    "SASRec (published)": {16: 50.4, 64: 50.5, 256: 52.3},
    "DROS-BERT (published)": {16: 50.2, 64: 51.7, 256: 53.9},
}
HEAD = """## TALLRec movie, like or dislike

1,000 test rows of 16 people: does somebody like a film, told ten films rated before it? Rows are rebuilt from
MovieLens-100K and equal the published ones. Models learn from 16, 64 or 256 rows drawn by seed, of which every film
with its label is a target, and from nothing else of train; epochs are chosen on the 1,000 validation rows. AUC is
over all rows, UAUC the mean over people with both labels, both x 100; brackets resample the 16 people, ± is between
seeds. Rules without shots need no training, or count in all 8,000 train rows; "rate in the shots" counts what the
models are told. SmolLM2 is heard beside the liked share as a logistic regression on the validation rows weighs them.
"""


def section(results: Path) -> list[str]:
    """The section; nothing where no results are."""
    path = results / "tallrec.json"
    if not path.is_file():
        return []
    found = json.loads(path.read_text(encoding="utf8"))
    lines = [HEAD, "| | shots | AUC | ± | UAUC | ± | fit s | MB | free weights |", "|---" * 9 + "|"]
    rows = [(-one["auc"]["mean"], _model(one)) for one in found.get("summary", [])]
    rows += [(-one["auc"]["mean"], _rule(name, one)) for name, one in found["rules"].items()]
    for name, figures in PUBLISHED.items():
        rows += [(-auc / 100, f"| {name} | {shots} | {auc} {'|' * 7}") for shots, auc in figures.items()]
    lines += [line for _, line in sorted(rows, key=lambda row: row[0])]
    return ["\n".join([*lines, "", *map(_against, found.get("summary", [])), ""])]


def _model(one: dict[str, Any]) -> str:
    seeds = len(one["seeds"])
    between = [f"{100 * one[name]:.1f} ({seeds})" if one[name] is not None else "" for name in _BETWEEN]
    cost = f"{one['fit_s']:.1f} | {one['peak_mb']:.0f} | {one['trainable']:,.0f}"
    values = f"{_bounds(one['auc'])} | {between[0]} | {_bounds(one['uauc'])} | {between[1]}"
    where = f" ({one['device']})" if one.get("device") else ""
    return f"| **{one['model']}**{where} | {one['shots']} | {values} | {cost} |"


def _rule(name: str, one: dict[str, Any]) -> str:
    return f"| rule: {name} | | {_bounds(one['auc'])} | | {_bounds(one['uauc'])} | | | | |"


def _against(one: dict[str, Any]) -> str:
    """Whether the model is better than the liked share, as far as 16 people can tell."""
    told = [f"{name.split()[0].upper()} {_bounds(one[name], '+.1f')}" for name in _OVER]
    where = f" ({one['device']})" if one.get("device") else ""
    return f"* {one['model']}{where}, {one['shots']} shots, less the liked share: {', '.join(told)}."


def _bounds(value: dict[str, float], style: str = ".1f") -> str:
    mean, low, high = (format(100 * value[name], style) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


_BETWEEN = ("auc between", "uauc between")
_OVER = ("auc over liked share", "uauc over liked share")
