"""A tuned language model as a folder, written in one step and opened again.

tuning.json what was measured · adapter/ the part that learned · ranker/ how lists are asked with it, where that helped
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from palate import store
from palate.errors import StoreError
from palate.rank.llm import LLMRanker

PART, RANKER, RECORD = "adapter", "ranker", "tuning.json"


def refuse_taken(out: Path) -> None:
    """Raises StoreError where a folder holds anything but what is written here."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / PART).is_dir())):
        raise StoreError(f"{out}: exists and is not a tuned language model; choose another folder or remove it")


def write(folder: Path, ranker: LLMRanker | None, profiles: Mapping[str, str], record: Mapping[str, Any]) -> None:
    """The record, and the ranker, if there is one, without a catalogue."""
    if ranker:
        store.save(folder / RANKER, replace(ranker, profiles=profiles, titles_=None, texts_=(), told_=()), {})
    (folder / RECORD).write_text(json.dumps(record, indent=2, ensure_ascii=False), encoding="utf8")


def opened(folder: Path, kinds: Mapping[str, type]) -> LLMRanker:
    """The ranker of a folder, to be fitted; raises StoreError where there is none."""
    if not (folder / RECORD).is_file() or not (folder / PART).is_dir():
        raise StoreError(f"{folder}: no tuned language model here; make one with `palate tune llm DATA --out {folder}`")
    if not (folder / RANKER).is_dir():
        raise StoreError(
            f"{folder}: the lists that judged got no better by this model (see {folder / RECORD}), so there is no "
            "ranker to use; leave it out, or tune with more data or another method"
        )
    ranker: LLMRanker = store.load(folder / RANKER, kinds)
    return ranker
