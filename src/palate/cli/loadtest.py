"""`palate load-test`: a running service under a steady load, to latencies, goodput and counts."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from palate.cli.options import Json, Seed, named, show_json
from palate.errors import ConfigError, MissingExtraError, ServiceError

app = typer.Typer()


@app.command(
    epilog="Example: palate load-test http://127.0.0.1:8080 --rate 200 --seconds 30 --key-file model.service/admin.key"
)
def load_test(
    url: Annotated[str, typer.Argument(help="Where the service listens, such as http://127.0.0.1:8080.")],
    key_file: Annotated[Path, typer.Option("--key-file", help="A file that holds an API key.")],
    rate: Annotated[float, typer.Option("--rate", help="Requests a second.")] = 200.0,
    seconds: Annotated[float, typer.Option("--seconds", help="How long requests are sent.")] = 30.0,
    mix: Annotated[
        str,
        typer.Option(
            "--mix",
            help="How often each is sent, relative to the others: recommend, search, similar, event, events (50).",
        ),
    ] = "recommend=1",
    users: Annotated[
        Path | None,
        typer.Option("--users", help="A file of user ids, one a line; strangers with histories if not given."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="The folder of the saved model, whose users are asked for.")
    ] = None,
    deadline: Annotated[float, typer.Option("--deadline", help="Milliseconds after which an answer is none.")] = 500.0,
    tell_deadline: Annotated[
        bool, typer.Option("--tell-deadline", help="Send the deadline along: stages are left out for it.")
    ] = False,
    arrivals: Annotated[str, typer.Option("--arrivals", help="poisson, as people come, or even.")] = "poisson",
    outstanding: Annotated[
        int, typer.Option("--outstanding", help="Requests that may be unanswered at a time; more fail unsent.")
    ] = 256,
    k: Annotated[int, typer.Option("-k", help="How many items in a list.")] = 10,
    anywhere: Annotated[
        bool, typer.Option("--anywhere", help="Also a service on another machine, which is yours.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Ask a service for lists at a steady rate and tell how long answers took.

    An open loop: a request is sent when it is due, whether or not earlier ones are answered, and its time counts from
    then. Events that the mix names are written to the service's log.
    """
    try:
        from palate.serve import loadtest
        from palate.serve.tally import tally
    except ImportError as error:
        raise MissingExtraError(f'load-test: no package {error.name}; pip install "palate[serve]"') from None
    loadtest.address(url, anywhere=anywhere)
    config = loadtest.LoadConfig(
        rate=rate,
        seconds=seconds,
        arrivals=arrivals,
        deadline_ms=deadline,
        tell=tell_deadline,
        outstanding=outstanding,
        k=k,
        seed=seed,
    )
    shares = {name: _number(name, value) for name, value in named(mix, "mix").items()}
    key = _text(key_file).strip()
    items = loadtest.read_items(url, key)
    calls = loadtest.make_calls(config, shares, _users(users, model), items)
    shots = loadtest.load_test(url, key, calls, config, anywhere=anywhere)
    found = tally(shots, config)
    if as_json:
        show_json({**asdict(found), "goodput": round(found.goodput, 2)})
    else:
        typer.echo(shown(found, config))
    if not found.statuses:
        raise ServiceError(f"{url}: no request was answered")


def shown(found: Any, config: Any) -> str:
    """The figures of a run for people, a line each."""
    lines = [
        f"{found.asked:,} requests in {config.seconds:g} s ({config.rate:g}/s, {config.arrivals}, open loop)",
        f"goodput     {found.goodput:.1f}/s answered whole within {config.deadline_ms:g} ms ({found.good:,})",
        f"{'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}{'max':>9}",
    ]
    for name, values in (("answered", found.answered), ("refused", found.refused), ("own delay", found.late)):
        if values:
            lines.append(f"{name:<12}" + "".join(f"{value:>9.1f}" for value in values.values()))
    for name, counts in (("status", found.statuses), ("degraded", found.degraded), ("failed", found.failed)):
        if counts:
            lines.append(f"{name:<12}" + ", ".join(f"{what} {count:,}" for what, count in counts.items()))
    return "\n".join(lines)


def _users(file: Path | None, model: Path | None) -> tuple[str, ...]:
    if file is not None and model is not None:
        raise ConfigError("users: come from a file or from a model; leave out --users or --model")
    if file is not None:
        return tuple(line.strip() for line in _text(file).splitlines() if line.strip())
    if model is not None:
        from palate.model import load  # takes a second

        return load(model).data.users.ids.ids
    return ()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


def _number(name: str, value: Any) -> float:
    if isinstance(value, str):
        raise ConfigError(f'mix: "{name}={value}" is not a number')
    return float(value)
