"""What was tried and decided while fitting, for people to read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from palate.build import PARTS

WORDS = {kind.__name__: word for word, (kind, _) in reversed(PARTS.items())}  # Dense is dense, not tuned-dense
WORDS |= {"TextTrainer": "tuned-dense", "SequenceTrainer": "sequence"}


def sentences(decision: Mapping[str, Any]) -> list[str]:
    """`palate.build.decisions` in sentences: what was left out, what was chosen and why."""
    said = [f"Left out {part}: {reason}." for part, reason in decision.get("left_out", {}).items()]
    said += [f"{_word(part)}: {_tuning(record)}" for part, record in decision.get("tuned", {}).items()]
    if "held_out" not in decision:
        return said
    n, members = decision["held_out"], decision["members"]
    if "used" not in decision:
        return [*said, f"{_listed(members)} with equal weights: {n} held-out likes are too few to learn from."]
    said += [f"Left out {_word(part)}: no time is left for it." for part in decision["too_slow"]]
    said += [f"{_word(part)}: {better}." for part, better in _chosen_options(decision["trials"])]
    ways = ", ".join(f"{way} {value:.4f}" for way, value in decision["ndcg@10"].items())
    asked = [part for part in members if part not in decision["too_slow"]]
    said.append(f"NDCG@10 on {n:,} held-out likes: {ways}; used: {decision['used']} of {_listed(asked)}.")
    if kept := decision.get("newcomers"):
        text = "Of {every} places, at least one is for items that nobody liked yet; with this, NDCG@10 {ndcg@10:.4f}."
        said.append(text.format(**kept))
    lists = decision["lists"]
    ways = ", ".join(f"{way} {value:.4f}" for way, value in lists["ndcg@10"].items())
    said.append(f"Short lists from outside, NDCG@10 among {lists['of']} items: {ways}; used: {lists['used']}.")
    if reader := decision.get("reader"):
        said.append(f"Reading the first places: {_read(reader)}")
    if decision["not_needed"]:
        said.append(f"Not needed, and not in the model: {_listed(decision['not_needed'])}.")
    return said


def difference(found: Mapping[str, float]) -> str:
    """What tuning changed, as `train.diary.compared` found it."""
    return (
        f"before {found['before']:.4f}, after {found['after']:.4f}, change {found['change']:+.4f} "
        f"[{found['low']:+.4f}, {found['high']:+.4f}]"
    )


def _read(record: Mapping[str, Any]) -> str:
    found = record.get("held_out") or record.get("judged")
    used = record.get("used", not record.get("kept_order", True))
    if not found:
        return f"{record.get('reason', 'too few lists to learn from')}; nothing is read."
    said = f"NDCG@10 of {found['people']:,} held-out lists {difference(found)}; {'used' if used else 'not used'}."
    if alone := record.get("alone"):
        said += f" The model alone, of these: untuned {alone['before']:.4f}, tuned {alone['after']:.4f}."
    if (bias := record.get("position_bias")) and bias["before"] and bias["after"]:
        kept = [f"{bias[when]['kept']:.0%}" for when in ("before", "after")]
        said += f" Reversing a list kept its choice in {kept[0]} before, in {kept[1]} after."
    return said


def _tuning(record: Mapping[str, Any]) -> str:
    if "held_out" not in record:
        return f"the encoder stays as it was: {record['reason']}."
    found = record["held_out"]
    return (
        f"NDCG@10 of the text encoder on {found['people']:,} held-out likes {difference(found)}; "
        f"{'the tuned one is used' if record['kept'] else 'it stays as it was'}."
    )


def trials(decision: Mapping[str, Any]) -> list[str]:
    """A table of every setting that was tried, in order, by lines; [] where none was."""
    tried = decision.get("trials", ())
    if not tried:
        return []
    rows = [f"  {_word(one['part']):<12}{one['quality']:>8.4f}{one['seconds']:>9.1f}  {_options(one)}" for one in tried]
    return [f"  {'part':<12}{'NDCG@10':>8}{'seconds':>9}  options", *rows]


def _chosen_options(tried: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """For each part that was tried more than once, what was chosen and what it brought."""
    for part in dict.fromkeys(trial["part"] for trial in tried):
        own = [trial for trial in tried if trial["part"] == part]
        best = max(own, key=lambda trial: float(trial["quality"]))
        if len(own) > 1:
            brought = f"({own[0]['quality']:.4f} to {best['quality']:.4f})"
            yield part, f"{_options(best)} of {len(own)} settings {brought}"


def _options(trial: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in trial["options"].items()) or "defaults"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(map(_word, parts))


def _word(part: str) -> str:
    """The kind-word of a class that is a part, or that trains one."""
    return WORDS.get(part, part)
