"""Faults: what is counted of a report of tests, and what the page says of it."""

from pathlib import Path

from benchmarks.faults import FIGURES, counted, spread
from benchmarks.served import borne

REPORT = """<testsuites><testsuite>
<testcase name="test_a" time="1.5"/>
<testcase name="test_it_holds[x]" time="2.5"/>
<testcase name="test_c" time="0.1"><skipped/></testcase>
<testcase name="test_d" time="0.2"><failure/></testcase>
</testsuite></testsuites>"""
MACHINE = {"processor": "one", "memory": "1 GiB", "processors": "2"}


def test_a_report_is_counted():
    found = counted(REPORT)
    assert found == {"passed": 2, "skipped": 1, "failed": ["test_d"], "slowest": {"test_it_holds[x]": 2.5}}


def test_the_page_tells_failures_and_kills():
    assert spread([1.0, 3.0, 2.0]) == {"median": 2.0, "longest": 3.0}
    about = {"done": "kills", "wanted": "nothing lost", "seconds": 9.4}
    kills = {"kills": 3, "acknowledged": 1200, "restart_s": spread([1, 2]), "serve_ready_s": spread([4])}
    failing = counted(REPORT)
    text = borne({"F1": about | failing | {"failed": []} | kills, "F5": about | failing, "machine": MACHINE})
    first, second = (line for line in text.splitlines() if line.startswith("| F"))
    assert "2 tests passed, 1 skipped; 3 kills, 1,200 events acknowledged, none lost or doubled; restart 1.5 s" in first
    assert "| it holds: 2.5 s | 9 |" in first
    assert "FAILED: test_d" in second
    assert "Not reached" not in text
    late = borne({"F1": about | failing | kills | {"serve_ready_s": spread([4, 5.5])}, "machine": MACHINE})
    assert "F1's restart within 5 s (`palate serve` took up to 5.5 s)" in late


def test_every_figure_names_tests_that_are_there():
    here = Path(__file__).parents[2]
    assert all((here / place).exists() for figure in FIGURES.values() for place in figure.tests)
