"""docs/serving.md and the README: their lines work as printed, and the tables say what the code says."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from benchmarks.kill import server

from palate.serve.keys import ROLES
from palate.serve.settings import ServeConfig

HOME = Path(__file__).parents[2]
PAGE = (HOME / "docs" / "serving.md").read_text(encoding="utf8")


def options_table():
    """A row for each option as it is declared."""
    rows = ["| option | default | meaning |", "|---|---|---|"]
    for one in fields(ServeConfig):
        default = f"`{str(one.default).lower()}`" if one.default != "" else ""
        rows.append(f"| `{one.name}` | {default} | {one.metadata['meaning']} |")
    return "\n".join(rows)


def test_the_table_of_options_is_the_code_s():
    assert options_table() in PAGE, f"draw it anew:\n{options_table()}"


def test_roles_and_files_are_named():
    assert all(f"`{role}`" in PAGE for role in ROLES)
    unit = (HOME / "deploy" / "palate.service").read_text()
    assert "palate serve /srv/palate/model --state /var/lib/palate" in unit
    assert '"palate", "serve", "/model"' in (HOME / "deploy" / "Containerfile").read_text()


def test_the_lines_of_curl_work_as_printed(model, tmp_path):
    """Every shell block but those that are only to be read (```text), one after the other, on a server of one's own."""
    told = ('"basis":"history"', '"accepted":1', '"searchable":true', '"item_id":"n1"', '"removed"')
    _work(model, tmp_path, PAGE, least=14, told=told)


def test_the_readme_s_lines_of_curl_work_as_printed(model, tmp_path):
    told = ('"accepted":1', '"searchable":true', '"item_id":"n1"')
    _work(model, tmp_path, (HOME / "README.md").read_text(encoding="utf8"), least=5, told=told)


def _work(model, tmp_path, page, *, least, told):
    model.save(tmp_path / "model")
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    assert len(re.findall(r"^(?:ask|curl) ", lines, re.MULTILINE)) >= least
    with server(tmp_path / "model", tmp_path / "model.service") as (client, _, _):
        port = str(client.base_url.port)
        script = "set -euo pipefail\n" + lines.replace("8080", port)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where the command palate is
        ended = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    for part in told:
        assert part in ended.stdout, part
