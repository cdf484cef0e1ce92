"""How networks, bills, data sets and the like say what they are: one line, and a table where a notebook wants HTML."""

from __future__ import annotations

import html


class Shown:
    """Base of what is shown: a class gives `__repr__`, one line, and `_facts`, the rows of the table under it."""

    def _facts(self) -> list[tuple[str, ...]]:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return table(repr(self), self._facts())


def table(title: str, rows: list[tuple[str, ...]]) -> str:
    """Return rows of text as an HTML table, the first of each as its name; all text is escaped.

    Examples
    --------
    >>> table("a < b", [("a", "1")])
    '<table><caption>a &lt; b</caption><tr><th>a</th><td>1</td></tr></table>'
    """
    body = "".join(
        f"<tr><th>{html.escape(name)}</th>{''.join(f'<td>{html.escape(value)}</td>' for value in values)}</tr>"
        for name, *values in rows
    )
    return f"<table><caption>{html.escape(title)}</caption>{body}</table>"
