"""Measured seconds and megabytes, kept as JSON beside the books, to tables of docs/benchmarks.md."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.served import borne, served

Found = dict[str, Any]


def speed(results: Path) -> str:
    """A section of tables, one for each measurement that has a result; "" without any."""
    parts = [made(json.loads(path.read_text("utf8"))) for name, made in TABLES if (path := results / name).is_file()]
    return "\n".join(["## Speed and memory\n", *parts]) if parts else ""


def _epochs(found: Found) -> str:
    theirs, ours, alike = found["rectools"], found["palate"], found["alike"]
    rows = [
        (name, ", ".join(f"{one:.1f}" for one in side["epoch_s"]), _quality(side["validation ndcg@10"]))
        for name, side in (("RecTools 0.19, SASRec, ids", theirs), ("palate, `sequence`, ids and texts", ours))
    ]
    return "\n".join(
        [
            "### An epoch of SASRec beside RecTools (`python -m benchmarks.epoch_speed`)\n",
            f"Amazon Beauty, {found['data']['train events']:,} train events, full softmax over "
            f"{found['data']['items']:,} items, width {alike['dim']}, {alike['layers']} layers, "
            f"{alike['heads']} heads, length {alike['length']}, dropout "
            f"{alike['dropout']}; a step is {alike['batch']}; {_processor(found['environment'])}, "
            f"{alike['threads']} thread. An epoch of ours takes 1/{found['ratio_of_medians']} of theirs; our texts "
            f"take {ours['encoding_s']} s once, before. NDCG@10 is after these few epochs; "
            "either would go on learning.\n",
            *_table(("", "seconds of each epoch", "NDCG@10 on validation after these"), rows),
        ]
    )


def _scale(found: Found) -> str:
    trained = [
        (
            name.removeprefix("train-"),
            *(f"{one[cost]:,}" for cost in ("seconds", "peak_mb", "lists_per_s")),
            _cores(one["machine"]),
        )
        for name, one in found.items()
        if isinstance(one, dict) and "peak_mb" in one
    ]
    asked = [
        (name, run, f"{rate:,}", _cores(found[name]["machine"]))
        for name in ("learned-vectors", "even-vectors")
        for run, rate in found.get(name, {}).items()
        if "palate" in run or run.startswith(("from", "implicit"))
    ]
    return "\n".join(
        [
            "### A million events (`python -m benchmarks.scale`)\n",
            f"{found['events']:,} events of {found['users']:,} people on {found['items']:,} items, made by seed; "
            f"`balanced` is given {found['balanced']['budget_s']:.0f} s, all others the time they take.\n",
            *_table(("recipe", "seconds to train", "peak MB", "lists of 10 a second", "machine"), trained),
            "",
            "Lists of 10 a second from 64 factors: learned ones, and even ones of which no tile can be skipped.\n",
            *_table(("factors", "way", "lists a second", "machine"), asked),
        ]
    )


def _encoding(found: Found) -> str:
    rows = [(name, f"{rate:,}") for name, rate in found["texts_per_s"].items()]
    return "\n".join(
        [
            "### Encoding titles with MiniLM (`python -m benchmarks.encode_speed`)\n",
            f"{found['texts']:,} titles, {found['machine']['threads']} threads; the vectors of both have a cosine of "
            f"at least {found['cosine']['least']}.\n",
            *_table(("", "texts a second"), rows),
        ]
    )


def _int8(found: Found) -> str:
    rows = [
        (
            name,
            f"{rate:,}",
            f"{found['ratio'][name]:.2f} ({found['ratio to onnx'][name]:.2f})",
            f"{found['cosine'][name]['mean']:.4f} ({found['cosine'][name]['least']:.4f})",
            f"{found['top10'][name]:.3f}",
        )
        for name, rate in found["texts_per_s"].items()
    ]
    heads = ("", "texts a second", "times torch (ONNX) in fp32", "cosine, mean (least)", "ten nearest in common")
    return "\n".join(
        [
            "### MiniLM in int8 by ONNX Runtime (`python -m benchmarks.int8`)\n",
            f"{found['texts']} film texts, the same batches, one processor ({_able(found['machine'])}); per "
            "processor second. The aims are 1.8 times torch and 99 % of NDCG@10. In another batch a number of an int8 "
            f"vector changes by at most {found['int8 in another batch']:.0e}.\n",
            *_table(heads, rows),
            *(_kept(found["lists"]) if "lists" in found else ()),
            *(_pairs(found["ranker"]) if "ranker" in found else ()),
        ]
    )


def _able(machine: Found) -> str:
    return ", ".join(machine["instructions"]).replace("_", " ")


def _kept(lists: list[Found]) -> list[str]:
    quick = [name for name in lists[0]["kept"] if name != "fp32"]
    rows = [
        (
            f"{one['split']}, {one['parts']}",
            f"{one['people']}",
            f"{one['ndcg@10']['fp32']:.4f}",
            *(
                f"{one['kept'][name]['mean']:.1%} [{one['kept'][name]['low']:.1%}, {one['kept'][name]['high']:.1%}]"
                for name in quick
            ),
        )
        for one in lists
    ]
    heads = ("split", "people", "NDCG@10 in fp32", *(f"kept in {name}" for name in quick))
    return ["Zero-shot lists on movielens-small, with paired intervals:\n", *_table(heads, rows)]


def _index(found: Found) -> str:
    rows = [
        (
            f"{int(size):,}",
            *(f"{one[f'{way}_ms_{together}']:.1f}" for together in (1, 16) for way in ("exact", "approximate")),
            *(f"{one[f'{kind} recall@{k}']:.3f}" for kind in ("titles", "tags") for k in (10, 100)),
            f"{one['build_s']:.0f} ({one['open_s']:.1f})",
            f"{one['vectors_mb']:,} + {2 * one['codes_mb']:,}",
        )
        for size, one in found["sizes"].items()
    ]
    heads = (
        *("items", "ms alone, exact", "index", "ms among 16, exact", "index"),
        *("titles: recall@10", "@100", "tags: recall@10", "@100", "seconds to make (open)", "MB of vectors + codes"),
    )
    return "\n".join(
        [
            "### The index of large catalogues (`python -m benchmarks.index`)\n",
            f"Vectors of MiniLM, {found['dim']} numbers: {found['texts']:,} real texts, the others made between them; "
            f"faiss {found['faiss']}, processor time of one thread; {_processor(found['machine'])}. {found['asked']} "
            "titles that were held out and as many tags that people gave films; recall is the share of exact "
            "search's list.\n",
            *_table(heads, rows),
        ]
    )


def _pairs(found: Found) -> list[str]:
    rows = [
        (
            name,
            f"{one['pairs_per_s']:,}",
            f"{one['ratio']:.2f} ({one['ratio to onnx']:.2f})",
            f"{one['difference']:.3f}",
            f"{one['top10']:.3f} ({one['own top10']:.3f})",
            *_change(one),
        )
        for name, one in found["readers"].items()
    ]
    last = found["last"]
    wider = [(name, f"{one['top10']:.3f}", *_change(one)) for name, one in last["readers"].items()]
    kept, of_last = (
        each["readers"]["onnx int8"]["ndcg@10"] / each["readers"]["torch fp32"]["ndcg@10"] for each in (found, last)
    )
    heads = (
        "",
        "pairs a second",
        "times torch (ONNX) in fp32",
        "largest difference",
        "first ten in common (without the prior), of all",
        "NDCG@10",
        "change",
    )
    return [
        "### A MiniLM cross-encoder in int8 (`python -m benchmarks.int8_ranker`)\n",
        f"{found['pairs']} pairs of person and film, the same batches, one processor "
        f"({_able(found['machine'])}); per processor second. Lists of 20 by EASE for {found['people']} test "
        f"people, {found['lists']} of them with a history and so read, on movielens-small (EASE's own order "
        f"{found['as given']:.4f}); the network was tuned on 75 lists only, not to be good. Scores have a standard "
        f"deviation of {found['spread']:.3f} (without the prior {found['own spread']:.3f}); in another batch one in "
        f"int8 changes by at most {found['int8 in another batch']:.0e}. int8 keeps {kept:.1%} of NDCG@10; the aims "
        "are 99 % and 1.8 times.\n",
        *_table(heads, rows),
        f"The same network for {last['people']} people whose last event is held out, {last['lists']} of them read (it "
        f"was tuned on some of what they did, which favours no arithmetic): int8 keeps {of_last:.1%}.\n",
        *_table(("", "first ten in common", "NDCG@10", "change"), wider),
    ]


def _change(one: Found) -> tuple[str, str]:
    change = one["change"]
    return f"{one['ndcg@10']:.4f}", f"{change['mean']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"


def _reading(found: Found) -> str:
    rows = [
        (name, *(f"{one['wall'][f'{what}_ms']:,}" for what in ("bare", "table", "read")))
        for name, one in found.items()
        if isinstance(one, dict) and "wall" in one
    ]
    heads = ("file", "polars alone, ms", "to a typed table, ms", "`palate.read` with all checks, ms")
    return "\n".join(
        [
            "### Reading a log (`python benchmarks/read_speed.py`)\n",
            f"{found['events']:,} events, CSV, {found['threads']} threads.\n",
            *_table(heads, rows),
        ]
    )


TABLES: tuple[tuple[str, Callable[[Found], str]], ...] = (
    ("epoch_speed.json", _epochs),
    ("scale.json", _scale),
    ("encode_speed.json", _encoding),
    ("int8.json", _int8),
    ("index.json", _index),
    ("read_speed.json", _reading),
    ("serving.json", served),
    ("serving-item-knn.json", served),
    ("faults.json", borne),
)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    ruled = f"|{'---|' * len(heads)}"
    return [f"| {' | '.join(heads)} |", ruled, *(f"| {' | '.join(row)} |" for row in rows), ""]


def _quality(found: dict[str, float]) -> str:
    return f"{found['mean']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _cores(machine: Found) -> str:
    return f"{_processor(machine)}, cores: {machine['cores']}"


def _processor(machine: Found) -> str:
    return f"{machine['processor']}, {machine['memory']}"
