"""The parts of a report: one HTML page that needs no network, tables, lists, figures; texts are escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from palate.errors import MissingExtraError


class Html(str):
    """Text that is markup already; everything else is escaped."""


def page(title: str, lead: str, sections: Mapping[str, str]) -> str:
    """The whole page: a title, a paragraph that says what it is about, and the sections that are not empty."""
    style = resources.files("palate.evaluation").joinpath("report.css").read_text(encoding="utf8")
    body = "\n".join(f"<section>\n<h2>{name}</h2>\n{inner}\n</section>" for name, inner in sections.items() if inner)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Palate: {escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<p class="brand">Palate</p>
<h1>{escape(title)}</h1>
{paragraph(lead)}
</header>
{body}
</main>
</body>
</html>
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column names the row; cells are escaped unless they are markup."""
    top = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in head) if any(head) else ""
    lines = [
        f'<tr><th scope="row">{_text(first)}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    ]
    return f'<div class="table"><table><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>\n'


def bullets(sentences: Iterable[str]) -> str:
    """A list; nothing where there are no sentences."""
    items = "".join(f"<li>{escape(one)}</li>" for one in sentences)
    return f"<ul>{items}</ul>\n" if items else ""


def paragraph(text: str) -> str:
    """One paragraph."""
    return f"<p>{escape(text)}</p>\n"


def details(title: str, inner: str) -> str:
    """Markup that opens when its title is clicked."""
    return f"<details><summary>{escape(title)}</summary>{inner}</details>\n"


def figure(caption: str, svg: str) -> str:
    """A picture with what it shows, "" where the picture says so itself."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{below}{svg}</figure>\n"


def drawing() -> Any:
    """The drawing module, which needs matplotlib."""
    try:
        from palate.evaluation import plots
    except ImportError:
        raise MissingExtraError('the report draws with matplotlib: pip install "palate[report]"') from None
    return plots


def _text(cell: str) -> str:
    return cell if isinstance(cell, Html) else escape(cell)
