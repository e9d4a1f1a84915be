"""`palate data`: the data sets known by name."""

from palate.cli.shelf import shelf

app = shelf("data")
