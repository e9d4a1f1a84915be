"""What tuning methods cost and gave, kept as JSON, to a section of docs/benchmarks.md."""

import json
from pathlib import Path
from typing import Any

HEAD = """## Tuning methods on one encoder (`python -m benchmarks.methods`)

MiniLM on MovieLens-small's train part: {pairs} next likes, {epochs} epochs, texts cut at {max_tokens} tokens, a person
read as the mean of the last {last} liked films; each method at its usual learning rate, one seed, nothing searched,
each in a process of its own. NDCG@10 of held-out likes among {catalogue:,} films, of people nothing was chosen by,
before and after; brackets are 95 % intervals of the change. {processor}, one thread.

| method | before | after | change | free weights | seconds | MB of memory | MB on disk |
|---|---|---|---|---|---|---|---|
"""


def section(results: Path) -> list[str]:
    """The section; nothing where no results are."""
    path = results / "methods.json"
    if not path.is_file():
        return []
    kept = json.loads(path.read_text(encoding="utf8"))
    rows = sorted(kept["rows"].items(), key=lambda row: -row[1]["held_out"]["after"])
    head = HEAD.format(**kept["setting"], processor=kept["machine"]["processor"])
    return [head + "\n".join(_line(name, row) for name, row in rows) + "\n"]


def _line(name: str, row: dict[str, Any]) -> str:
    found = row["held_out"]
    change = f"{found['change']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"
    cost = f"{row['trainable']:,} | {row['seconds']:.0f} | {row['peak_mb']:,} | {row['part_mb']:.1f}"
    return f"| {name} | {found['before']:.4f} | {found['after']:.4f} | {change} | {cost} |"
