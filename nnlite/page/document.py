"""The frame of a page: one HTML file with everything inside, which asks no server for anything.

It knows tables, figures and commands as text in HTML; what they say is the caller's. Browsers are told to refuse every
request, so that what a page contains cannot make one. It opens no file but its own style.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


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
