"""`palate export`: a text encoder, or that or the cross-encoder of a saved model, to a folder for ONNX Runtime."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from palate import store
from palate.build import kinds
from palate.cli.options import Json, show_json
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import ConfigError
from palate.rank.cross import CrossEncoder
from palate.runtime import Runtime

app = typer.Typer()
P = TypeVar("P")


@app.command(epilog="Example: palate export all-minilm-l6-v2 --out encoder-int8/ --precision int8")
def export(
    model: Annotated[str, typer.Argument(help="The folder of a saved model, a known model, a local folder or hub id.")],
    out: Annotated[Path, typer.Option("--out", help="The new folder to write.")],
    layout: Annotated[Literal["onnx"], typer.Option("--format", help="What is written.")] = "onnx",
    precision: Annotated[
        Literal["fp32", "int8"], typer.Option("--precision", help="int8 is faster and nearly the same.")
    ] = "fp32",
    part: Annotated[
        Literal["encoder", "ranker"], typer.Option("--part", help="ranker is the cross-encoder of a saved model.")
    ] = "encoder",
    as_json: Json = False,
) -> None:
    """Write a text encoder, or a cross-encoder, with its tokenizer for ONNX Runtime; what it says is compared with
    torch first."""
    known = (encoder_of(model) if part == "encoder" else ranker_of(model)).export(out, precision)
    if as_json:
        show_json({**known, "layout": layout, "folder": str(out)})
        return
    agreement = (
        f"least cosine with torch {known['least_cosine']:.4f}"
        if part == "encoder"
        else f"{known['explained']:.2%} of the spread of torch's scores explained"
    )
    typer.echo(f"Saved in {out}: {precision}, {agreement}.")


def encoder_of(model: str) -> TransformerEncoder:
    """The text encoder of a saved model, the tuned one where it has one, or of a language model by name.

    Raises ConfigError where a saved model reads no texts by a language model.
    """
    if not store.is_saved(Path(model)):
        return TransformerEncoder(TransformerConfig(model=model)).fit([], Runtime())
    found = list(_parts(TransformerEncoder, store.load(Path(model), kinds())))
    if not found:
        raise ConfigError(f"{model}: reads no texts by a language model; name an encoder instead")
    return max(found, key=lambda one: bool(one.part_))


def ranker_of(model: str) -> CrossEncoder:
    """The cross-encoder of a saved model; raises ConfigError where none is in it, or it keeps every order."""
    found = list(_parts(CrossEncoder, store.load(Path(model), kinds()))) if store.is_saved(Path(model)) else []
    if not any(one.weights_ for one in found):
        raise ConfigError(f"{model}: no saved model with a trained cross-encoder; make one by palate train --ranker")
    return next(one for one in found if one.weights_)


def _parts(kind: type[P], value: Any) -> Iterator[P]:
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple):
        for one in value if not value or not isinstance(value[0], str) else ():
            yield from _parts(kind, one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _parts(kind, one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _parts(kind, getattr(value, field.name))
