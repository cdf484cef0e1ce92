"""The frame of a page: one HTML file with everything inside, which asks no server for anything.

It knows tables, figures and commands as text in HTML; what they say is the caller's. Browsers are told to refuse every
request, so that what a page contains cannot make one. It opens no file but its own style.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HERE = Path(__file__).parent
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

_COLOURS_IN_PICTURE = 128


def document(title: str, parts: Sequence[str]) -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str - plain text; the page's one first-level heading too
    parts : sequence of str - HTML, in order

    Returns
    -------
    str - to be written as UTF-8
    """
    style = (HERE / "style.css").read_text(encoding="utf-8")
    body = "\n".join(parts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def paragraphs(texts: Sequence[str], kind: str = "") -> str:
    """Return plain texts as paragraphs, of a class of `style.css` if one is named; what `backticks` hold is code."""
    opened = f'<p class="{kind}">' if kind else "<p>"
    written = [re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)) for text in texts]
    return "\n".join(f"{opened}{text}</p>" for text in written)


def section(title: str, *blocks: str) -> str:
    """Return a section under a second-level heading, its `anchor`; title is plain text, blocks are HTML."""
    head = f'<section>\n<h2 id="{anchor(title)}">{escape(title)}</h2>'
    return "\n".join([head, *filter(None, blocks), "</section>"])


def anchor(title: str) -> str:
    """Return the name by which one links to a heading, as GitHub makes it of the title."""
    return "".join(sign for sign in title.lower().replace(" ", "-") if sign.isalnum() or sign in "-_")


def from_markdown(text: str) -> str:
    """Return Markdown as HTML; a link to another file stays as its words alone, since the file is not in the page.

    Raises
    ------
    ImportError
        markdown-it-py is missing.
    """
    from markdown_it import MarkdownIt

    html: str = MarkdownIt("commonmark").enable("table").render(text)
    return re.sub(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>', r"\1", html)


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain texts that scrolls sideways, by keyboard too; the first column names the rows."""
    name = escape(caption, quote=True)
    kinds = ["", *(_kind([row[column] for row in rows]) for column in range(1, len(head)))]
    heads = [
        f'<th scope="col"{kind}>{escape(text)}</th>' if text else "<td></td>"
        for text, kind in zip(head, kinds, strict=True)
    ]
    lines = []
    for first, *rest in rows:
        cells = [f"<td{kind}>{escape(text)}</td>" for text, kind in zip(rest, kinds[1:], strict=True)]
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{"".join(cells)}</tr>')
    return "\n".join(
        [
            f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">',
            f"<table><caption>{name}</caption>\n<thead><tr>{''.join(heads)}</tr></thead>\n<tbody>",
            *lines,
            "</tbody></table></div>",
        ]
    )


def _kind(column: Sequence[str]) -> str:
    """Return the class of a column's cells: numbers, where more than half of it are (or a dash), stand to the right."""
    n_numbers = sum(re.match(r"[-<~]?\d|-$", text) is not None for text in column)
    return ' class="number"' if 2 * n_numbers > len(column) else ""


def figure(picture: Figure, name: str, shows: str) -> str:
    """Return a matplotlib Figure as SVG within the page.

    Parameters
    ----------
    picture : matplotlib Figure
    name : str - of the page's figures, so that no two share an element's id
    shows : str - plain text for who cannot see it
    """
    from matplotlib import rc_context

    written = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify_threshold": 0.5}):
        picture.savefig(written, format="svg", metadata={"Date": None})
    svg = written.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    # A tenth of a point is enough for a line, and a third of the bytes.
    svg = re.sub(r'\bd="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]), svg)
    svg = re.sub(r'(?<=data:image/png;base64,)[^"]*', _in_few_colours, svg)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(shows, quote=True)}"', 1)
    return f"<figure>\n{svg}</figure>"


def _in_few_colours(png: re.Match[str]) -> str:
    """Return a PNG file in base64 with a palette instead of colours: a fifth of the bytes, the same looks."""
    from PIL import Image  # matplotlib needs it, so it is there

    picture, small = Image.open(io.BytesIO(base64.b64decode(png[0]))), io.BytesIO()
    picture.quantize(_COLOURS_IN_PICTURE, Image.Quantize.FASTOCTREE).save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def commands(lines: Sequence[str]) -> str:
    """Return lines to type."""
    return f'<pre tabindex="0"><code>{escape(chr(10).join(lines))}</code></pre>'
