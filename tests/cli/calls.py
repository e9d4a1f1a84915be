"""A command as a user types it."""

import sys

from palate.cli.main import main


def run(monkeypatch, capsys, *words):
    """(exit code, stdout, stderr) of one command."""
    monkeypatch.setattr(sys, "argv", ["palate", *map(str, words)])
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    captured = capsys.readouterr()
    return code, captured.out, captured.err
