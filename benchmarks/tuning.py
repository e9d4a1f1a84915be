"""What tuning methods cost and gave, kept as JSON, to sections of docs/benchmarks.md."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

HEAD = """## Tuning methods on one encoder (`python -m benchmarks.methods`)

MiniLM on MovieLens-small's train part: {pairs} next likes, {epochs} epochs, texts cut at {max_tokens} tokens, a person
read as the mean of the last {last} liked films; each method at its usual learning rate (that of adalora was found on
these likes, see the log; for no other was anything searched), one seed, each in a process of its own. NDCG@10 of
held-out likes among {catalogue:,} films, of people nothing was chosen by, before and after; brackets are 95 %
intervals of the change. {processor}, one thread.

| method | before | after | change | free weights | seconds | MB of memory | MB on disk |
|---|---|---|---|---|---|---|---|
"""

DECODER = """## Tuning methods on one small language model (`python -m benchmarks.methods --network decoder`)

SmolLM2-135M on {shots} of TALLRec's movie rows as questions of yes or no, epochs: {epochs}, rows a step: {batch}; each
method at its usual learning rate, one seed, nothing searched, each in a process of its own. AUC and UAUC, x 100, of
{asked} of the validation rows by the model alone, without the liked share beside it; brackets resample the people.
{processor}, one thread.

| method | AUC | UAUC | free weights | seconds | MB of memory | MB on disk |
|---|---|---|---|---|---|---|
"""


def sections(results: Path) -> list[str]:
    """One for each network that there are results of."""
    kinds = (("methods.json", HEAD, _encoder), ("methods_decoder.json", DECODER, _decoder))
    return [_section(results / name, *how) for name, *how in kinds if (results / name).is_file()]


def _section(path: Path, head: str, line: Callable[[dict[str, Any]], tuple[float, str]]) -> str:
    """line: how good a row is, and its first columns."""
    kept = json.loads(path.read_text(encoding="utf8"))
    lines = []
    for name, row in kept["rows"].items():
        good, told = line(row)
        cost = f"{row['trainable']:,} | {row['seconds']:.0f} | {row['peak_mb']:,.0f} | {row['part_mb']:.1f}"
        lines.append((-good, f"| {name} | {told} | {cost} |"))
    body = "\n".join(text for _, text in sorted(lines))
    return head.format(**kept["setting"], processor=kept["machine"]["processor"]) + body + "\n"


def _encoder(row: dict[str, Any]) -> tuple[float, str]:
    found = row["held_out"]
    change = f"{found['change']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"
    return found["after"], f"{found['before']:.4f} | {found['after']:.4f} | {change}"


def _decoder(row: dict[str, Any]) -> tuple[float, str]:
    both = ({name: 100 * value for name, value in row[measure].items()} for measure in ("auc", "uauc"))
    return row["auc"]["mean"], " | ".join("{mean:.1f} [{low:.1f}, {high:.1f}]".format(**one) for one in both)
