"""`palate tune`: data in, a language model out that fits it better. One file for each kind of model."""

import typer

from palate.cli.tune import encoder, llm, ranker

app = typer.Typer()


@app.callback()
def tune() -> None:
    """Tune a language model on the likes in a folder of data."""


app.command("encoder", epilog=encoder.EXAMPLE)(encoder.encoder)
app.command("llm", epilog=llm.EXAMPLE)(llm.llm)
app.command("ranker", epilog=ranker.EXAMPLE)(ranker.ranker)
