"""What `benchmarks.serving` and `benchmarks.faults` measured, to tables of docs/benchmarks.md."""

from typing import Any

Found = dict[str, Any]
SOAKED = {
    "soak": "the shop",
    "soak-demo": "the demo's model",
    "soak-asking": "the demo's model, lists and searches alone",
}
RESTART_S = 5
HEADS = ("p50", "p95", "p99", "max")


def served(found: Found) -> str:
    """The section; parts that were not run are left out."""
    shop, machine = found["shop"], found["machine"]
    parts = [
        f"### The service under load, `{shop['recipe']}` (`python -m benchmarks.serving`)\n",
        f"{shop['items']:,} items, {shop['users']:,} people, {shop['events']:,} events, made by seed; recipe "
        f"`{shop['recipe']}` ({', '.join(shop['members'])}; {shop['used']}), trained in {shop['training_s']:,.0f} s. "
        f"{machine['processor']}, {machine['memory']}, {machine['processors']} processors, which the load generator "
        "shares. An open loop, Poisson arrivals; milliseconds from when a request was due; good is an answer with "
        "status 200, nothing left out, within the deadline (500 ms where none is named).\n",
        *_table(("", "figure", "measured", *(f"{head} ms" for head in HEADS), "good / asked", "else"), _rows(found)),
    ]
    if missed := _missed(found):
        parts.append(
            f"Not reached: {'; '.join(missed)}. Why, and what would be next, stands in the [log](log.md) under the "
            "service on two quiet processors.\n"
        )
    if "start" in found:
        rows = [
            (name, f"{one['ready_s']:.1f}", f"{one['ready_mb']:,.0f}", f"{one['after_mb']:,.0f}")
            for name, one in found["start"].items()
            if isinstance(one, dict)
        ]
        parts += _table(("start of", "seconds to ready", "MB then", "MB after 100 lists"), rows)
    for name, of in SOAKED.items():
        if not (soak := found.get(name)):
            continue
        slope, low, high = soak["mb_per_hour"]
        parts.append(
            f"Soak of {of}, 20 requests a second: {soak['ready_mb']:,.0f} MB when ready, {soak['first_mb']:,.0f} once "
            f"warm, {soak['most_mb']:,.0f} at most, {soak['last_mb']:,.0f} at the end; {slope:+.1f} MB an hour "
            f"[{low:+.1f}, {high:+.1f}] over {soak['looks']} looks.\n"
        )
    return "\n".join(parts)


def _missed(found: Found) -> list[str]:
    """The figures of reliability.md that were not reached, each with what was measured."""
    missed = []
    if one := found.get("L1"):
        ms, failed = one["answered_ms"], one["asked"] - one["good"]
        if ms["p50"] > 15 or ms["p99"] > 60 or failed:
            missed.append(f"L1 (p50 {ms['p50']:.0f}, p99 {ms['p99']:.0f} ms, {failed / one['asked']:.1%} not well)")
    if (one := found.get("L3")) and one["events"]["answered_ms"]["p99"] > 50:
        missed.append(f"L3 (p99 {one['events']['answered_ms']['p99']:.0f} ms)")
    late = {name: found[name]["ms"]["p95"] for name in ("L4", "L5") if name in found}
    missed += [f"{name} (p95 {p95:,.0f} ms)" for name, p95 in late.items() if p95 > 1000]
    if one := found.get("L6"):
        refused, recovery = one["refused_from_sent_ms"].get("p95", 0.0), one["recovery_s"]
        told = [f"{one['goodput_kept']:.0%} kept"] if one["goodput_kept"] < 0.8 else []
        told += [f"refusals p95 {refused:.0f} ms"] if refused > 10 else []
        told += [f"{one['errors_500']} errors 500"] if one["errors_500"] else []
        told += ["no recovery within 5 s"] if recovery is None or recovery > 5 else []
        missed += [f"L6 ({', '.join(told)})"] if told else []
    return missed


def borne(found: Found) -> str:
    """The section of faults."""
    rows = [(name, one["done"], one["wanted"], _verdict(one), *_seconds(one)) for name, one in sorted(found.items())
            if name != "machine"]  # fmt: skip
    machine = found["machine"]
    return "\n".join(
        [
            "### Faults (`python -m benchmarks.faults`)\n",
            "A figure holds where all tests that make its fault happen pass; skipped ones need what is not on the "
            "machine. Beside F1's are real kills with the events of each checked against the log. "
            f"{machine['processor']}, {machine['memory']}, {machine['processors']} processors.\n",
            *_table(("", "what is done", "what must come of it", "found", "slowest", "seconds in all"), rows),
            *_late_restart(found.get("F1", {})),
        ]
    )


def _late_restart(one: Found) -> list[str]:
    """F1's restart, where it was measured and takes longer than it may."""
    longest = one.get("serve_ready_s", {}).get("longest", 0.0)
    if longest <= RESTART_S:
        return []
    return [
        f"Not reached: F1's restart within {RESTART_S} s (`palate serve` took up to {longest:.1f} s). Why, and what "
        "would be next, stands in the [log](log.md) under restarts.\n"
    ]


def _verdict(one: Found) -> str:
    skipped = f", {one['skipped']} skipped" if one["skipped"] else ""
    told = [f"{one['passed']} tests passed{skipped}" if not one["failed"] else f"FAILED: {', '.join(one['failed'])}"]
    if "kills" in one:
        restart, serve = one["restart_s"], one["serve_ready_s"]
        told.append(
            f"{one['kills']} kills, {one['acknowledged']:,} events acknowledged, none lost or doubled; restart "
            f"{restart['median']:.1f} s (longest {restart['longest']:.1f}), `palate serve` ready in "
            f"{serve['median']:.1f} s (longest {serve['longest']:.1f})"
        )
    return "; ".join(told)


def _seconds(one: Found) -> tuple[str, str]:
    slowest = [f"{name.split('[')[0]}: {took:.1f} s" for name, took in one["slowest"].items()]
    return ", ".join(slowest).replace("_", " ").removeprefix("test "), f"{one['seconds']:.0f}"


def _rows(found: Found) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    if one := found.get("L1"):
        rows.append(("L1", "p50 <= 15, p99 <= 60, no errors", "lists", *_load(one)))
    for name, one in found.get("L2", {}).items():
        if isinstance(one, dict):
            rows.append(("L2", "p50 <= 60, p99 <= 150, or labelled", f"cross-encoder, {name}", *_load(one)))
    if one := found.get("L3"):
        rate = f"{one['events_per_s']:,.0f} events/s"
        rows.append(("L3", "2,000 events/s, p99 <= 50", rate, *_load(one["events"])))
        rows.append(("", "", "lists beside", *_load(one["recommend"])))
    for name, what in (("L4", "event to list"), ("L5", "item to search")):
        if one := found.get(name):
            never = next(value for key, value in one.items() if key.startswith("never"))
            rows.append(
                (name, "p95 <= 1,000", what, *_times(one["ms"]), f"{one['probes'] - never} / {one['probes']}", "")
            )
    if one := found.get("L6"):
        names = {"L6": "before", "": "overload", " ": "after"}
        rows += [(figure, "", name, *_load(one[name])) for figure, name in names.items()]
        recovery = "never" if one["recovery_s"] is None else f"{one['recovery_s']:.0f} s"
        rows.append(
            (
                "", "80 % kept, refusals <= 10, no 500, recovery <= 5 s",
                f"{one['goodput_kept']:.0%} kept, {one['refused_share']:.0%} refused, {one['errors_500']} 500s, "
                f"well after {recovery}; refusals from sent:",
                *_times(one["refused_from_sent_ms"]), "", "",
            )
        )  # fmt: skip
    return rows


def _load(one: Found) -> tuple[str, ...]:
    good = round(one["good"])
    beside = [f"{name} {count}" for kind in ("degraded", "failed") for name, count in one[kind].items()]
    beside += [f"status {status}: {count}" for status, count in one["statuses"].items() if status != "200"]
    return (*_times(one["answered_ms"]), f"{good:,} / {one['asked']:,}", ", ".join(beside))


def _times(ms: dict[str, float]) -> tuple[str, ...]:
    return tuple(f"{ms[head]:,.1f}" if head in ms else "" for head in HEADS)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    ruled = f"|{'---|' * len(heads)}"
    return [f"| {' | '.join(heads)} |", ruled, *(f"| {' | '.join(row)} |" for row in rows), ""]
