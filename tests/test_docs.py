"""What the README prints is what runs."""

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest

from cli.calls import run
from palate.cli.main import COMMANDS

HOME = Path(__file__).parent.parent
README = (HOME / "README.md").read_text(encoding="utf8")


@pytest.fixture
def shop(tmp_path):
    """A folder `shop` with a user u42 and a month of events."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "shop"
    folder.mkdir()
    items = [f"i{n},{('space ships', 'wedding cakes')[n % 2]} number {n}" for n in range(20)]
    (folder / "items.csv").write_text("item_id,title\n" + "\n".join(items) + "\n")
    events = [
        f"u{user},i{item},{1_700_000_000 + 3600 * int(rng.integers(720))}"
        for user in range(60)
        for item in rng.permutation(np.arange(user % 2, 20, 2))[:6]
    ]
    (folder / "events.csv").write_text("user_id,item_id,time\n" + "\n".join(events) + "\n")
    return folder


def test_the_python_of_the_readme_runs(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop.parent)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    (shop.parent / "readme.py").write_text(code)
    runpy.run_path("readme.py")
    shown = capsys.readouterr().out
    assert "u42" in shown
    assert "balanced" in shown
    assert (shop.parent / "model" / "manifest.json").is_file()


def test_the_page_on_tests_with_real_users_prints_what_it_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (HOME / "docs" / "ab.md").read_text(encoding="utf8")
    logs, draft = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "logs.py").write_text(logs)
    runpy.run_path("logs.py")
    ((command, printed),) = re.findall(r"```console\n\$ palate (.*?)\n(.*?)```", page, re.DOTALL)
    assert run(monkeypatch, capsys, *command.split()) == (0, printed, "")
    (tmp_path / "draft.py").write_text(draft)
    runpy.run_path("draft.py")
    assert f"```\n{capsys.readouterr().out}```" in page


def test_every_command_in_the_readme_exists():
    named = set(re.findall(r"palate ([a-z]+)[ `]", README))
    assert named <= set(COMMANDS)
    assert {"train", "recommend", "check"} <= named


def test_the_page_on_versions_runs_as_printed(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop.parent)
    page = (HOME / "docs" / "versions.md").read_text(encoding="utf8")
    assert run(monkeypatch, capsys, "train", "shop", "--recipe", "popular", "--out", "model")[0] == 0
    lines = [line for line in page.splitlines() if line.startswith("palate ")]
    assert len(lines) == 11
    for line in lines:
        code, _, error = run(monkeypatch, capsys, *shlex.split(line)[1:])
        assert code == (1 if " gate " in line else 0), error  # both were trained on all there is: undecided
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found: dict = {}
    exec(code, found)  # noqa: S102  what the page prints is what runs
    assert found["answer"].height == 5
    assert found["moved"] is None


def test_links_in_the_docs_lead_somewhere():
    for page in (HOME / "README.md", *(HOME / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf8")):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
