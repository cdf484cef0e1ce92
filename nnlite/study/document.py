"""A section of the report, and its forms: text for a terminal of 80 columns, Markdown and HTML for pages.

It knows no statistics and no records; facts become JSON here.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..page import document as page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 80

Facts = dict[str, Any]
"""What a question found, by the names that it has in JSON."""


def row_of(rows: Iterable[Facts], **known: object) -> Facts:
    """Return the first row that holds these facts; StopIteration where none does."""
    return next(row for row in rows if known.items() <= row.items())


Columns = Mapping[str, Callable[[Facts], str]]
"""The head of each column of a table, and what writes its cell from a row of facts."""


@dataclass(frozen=True)
class Table:
    """Cells that were written already; the first column is text, the others stand to the right."""

    head: list[str]
    rows: list[list[str]]
    caption: str = ""  # above it, for people who read nothing else

    @classmethod
    def of(cls, rows: Iterable[Facts], columns: Columns, caption: str = "") -> Table:
        """Write a line of cells for each row of facts."""
        return cls(list(columns), [[write(row) for write in columns.values()] for row in rows], caption)


@dataclass(frozen=True)
class Section:
    """One question, its answer, and what the answer rests on."""

    answer: list[str] = field(default_factory=list)  # paragraphs, the first of which answers; none: it stays open
    tables: list[Table] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # paragraphs below the tables
    pictures: dict[str, str] = field(default_factory=dict)  # a picture's name without ending -> what it shows
    facts: dict[str, Any] = field(default_factory=dict)  # the numbers, by their names in JSON
    title: str = ""
    lacking: list[str] = field(default_factory=list)  # the parts that were not run, in a sentence

    @property
    def told(self) -> list[str]:
        """The answer, or that there is none."""
        return self.answer or ["Not answered."]

    @property
    def below(self) -> list[str]:
        """All paragraphs below the tables."""
        return [*self.notes, *self.lacking]


def as_text(section: Section) -> str:
    """Write a section for a terminal.

    Returns
    -------
    str
        Lines of at most 80 columns, without a final newline.
    """
    blocks = [section.title.upper(), *map(wrapped, section.told)]
    blocks += ["\n" + _text_table(table) for table in section.tables]
    if section.tables and section.below:
        blocks.append("")
    blocks += map(wrapped, section.below)
    return "\n".join(blocks)


def as_markdown(section: Section, pictures: Mapping[str, str], level: int = 2) -> str:
    """Write a section for a page.

    Parameters
    ----------
    section : Section
    pictures : mapping of str to str
        From a picture's name without ending to where it is, as seen from the page; others are left out.
    level : int
        Of the heading.

    Returns
    -------
    str
        Without a final newline.
    """
    blocks = [f"{'#' * level} {section.title}", *map(_escaped, section.told)]
    blocks += [f"![{shows}]({pictures[name]})" for name, shows in section.pictures.items() if name in pictures]
    blocks += [_markdown_table(table) for table in section.tables]
    blocks += map(_escaped, section.below)
    return "\n\n".join(blocks)


def as_html(section: Section, figures: Mapping[str, Figure]) -> str:
    """Write a section for a page of one file.

    Parameters
    ----------
    section : Section
    figures : mapping of str to matplotlib Figure
        From a picture's name to what is drawn; others are left out.

    Returns
    -------
    str
    """
    answer, *rest = section.told
    return page.section(
        section.title,
        page.paragraphs([answer], "verdict"),
        page.paragraphs(rest),
        *(page.figure(figures[name], name, shows) for name, shows in section.pictures.items() if name in figures),
        *(page.table(table.caption or section.title, table.head, table.rows) for table in section.tables),
        page.paragraphs(section.below, "note"),
    )


def as_line(section: Section, where: str) -> str:
    """Write a section as an entry of a list: its title as a link to all of it, and its answer in a sentence."""
    return f"- [{section.title}]({where}) {_escaped(section.told[0])}"


def as_json(value: object) -> Any:
    """Turn facts into what JSON knows: dataclasses into objects, arrays into lists, what is not finite into null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: as_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def wrapped(paragraph: str) -> str:
    """Break a paragraph into lines of at most 80 columns, all but the first one indented."""
    return textwrap.fill(paragraph, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _text_table(table: Table) -> str:
    """Align the columns; two spaces between them, or one where two do not fit."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(table.head))]
    gap = "  " if sum(widths) + 2 * len(widths) <= WIDTH else " "
    indent = gap if sum(widths) + len(gap) * len(widths) <= WIDTH else ""
    shown = [
        indent + gap.join(text.ljust(widths[i]) if i == 0 else text.rjust(widths[i]) for i, text in enumerate(line))
        for line in lines
    ]
    caption = [wrapped(table.caption)] if table.caption else []
    return "\n".join([*caption, *(line.rstrip() for line in shown)])


def _markdown_table(table: Table) -> str:
    rows = [table.head, ["---", *["---:"] * (len(table.head) - 1)], *table.rows]
    lines = ["| " + " | ".join(_escaped(text) for text in row) + " |" for row in rows]
    return "\n".join([*([f"{_escaped(table.caption)}\n"] if table.caption else []), *lines])


def _escaped(text: str) -> str:
    """Keep characters that Markdown would read as its own."""
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")
