"""`palate export`: a text encoder, or that of a saved model, to a folder that ONNX Runtime reads."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from palate import store
from palate.build import kinds
from palate.cli.options import Json, show_json
from palate.encode.transformer import TransformerConfig, TransformerEncoder
from palate.errors import ConfigError
from palate.runtime import Runtime

app = typer.Typer()


@app.command(epilog="Example: palate export all-minilm-l6-v2 --out encoder-int8/ --precision int8")
def export(
    model: Annotated[str, typer.Argument(help="The folder of a saved model, a known model, a local folder or hub id.")],
    out: Annotated[Path, typer.Option("--out", help="The new folder to write.")],
    layout: Annotated[Literal["onnx"], typer.Option("--format", help="What is written.")] = "onnx",
    precision: Annotated[
        Literal["fp32", "int8"], typer.Option("--precision", help="int8 is faster and nearly the same.")
    ] = "fp32",
    as_json: Json = False,
) -> None:
    """Write a text encoder with its tokenizer for ONNX Runtime; what it says is compared with torch first."""
    known = encoder_of(model).export(out, precision)
    if as_json:
        show_json({**known, "layout": layout, "folder": str(out)})
        return
    typer.echo(f"Saved in {out}: {precision}, least cosine with torch {known['least_cosine']:.4f}.")


def encoder_of(model: str) -> TransformerEncoder:
    """The text encoder of a saved model, the tuned one where it has one, or of a language model by name.

    Raises ConfigError where a saved model reads no texts by a language model.
    """
    if not store.is_saved(Path(model)):
        return TransformerEncoder(TransformerConfig(model=model)).fit([], Runtime())
    found = list(_encoders(store.load(Path(model), kinds())))
    if not found:
        raise ConfigError(f"{model}: reads no texts by a language model; name an encoder instead")
    return max(found, key=lambda one: bool(one.part_))


def _encoders(value: Any) -> Iterator[TransformerEncoder]:
    if isinstance(value, TransformerEncoder):
        yield value
    elif isinstance(value, tuple):
        for one in value if not value or not isinstance(value[0], str) else ():
            yield from _encoders(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _encoders(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _encoders(getattr(value, field.name))
