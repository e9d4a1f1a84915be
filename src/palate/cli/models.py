"""`palate models`: the language models known by name."""

from palate.cli.shelf import shelf

app = shelf("model")
