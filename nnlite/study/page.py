"""The questions in their order, and what they make together: a text, a short form, an object for a program, pages.

Of two Markdown pages the first has the headline and of every other question the answer, the second every question
whole; one HTML page has both. Fixed prose is in page.md, details.md and notes.md; its {fields} are constants, and words
that differ between the forms. Nothing is computed here. A new question is one line in QUESTIONS, and what is always to
be said below its tables a block in notes.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiment import article, stats
from ..experiment.exits import DATA, Exit
from ..experiment.stats import interval_ranks
from ..page.document import anchor, document, from_markdown
from ..page.document import section as html_section
from . import cause, cells, controls, counting, protocol, regime, runs, settled, targets, tuning, verdict
from .comparisons import EXPLAINED_MARGIN
from .document import WIDTH, Section, as_html, as_json, as_line, as_markdown, as_text
from .runs import Study, once

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Does pretraining on the ten class averages of MNIST save 30% of the training?"
DETAILS = "All questions, with their numbers"

QUESTIONS = (
    verdict.headline,
    verdict.verdict,
    controls.averages_or_steps,
    cause.cause,
    controls.one_flag,
    tuning.tuned,
    settled.settled,
    counting.counting,
    targets.targets,
    targets.equal_steps,
    targets.fashion,
    controls.others,
    targets.stopping_on_test,
    cells.sensitivity,
    regime.regime,
    runs.what_was_run,
)
"""What decides first, then what it rests on."""


@once
def sections(study: Study) -> list[Section]:
    """Ask every question, and set its fixed notes below what it told."""
    notes, asked = _fixed_notes(), []
    for question in QUESTIONS:
        section = question(study)
        if section.answer or section.tables:
            section = replace(section, notes=[*notes.get(question.__name__, []), *section.notes])
        asked.append(section)
    return asked


def text(study: Study) -> str:
    """Write the whole report for a terminal, in lines of at most 80 columns."""
    return "\n\n".join([f"{TITLE}\n{'=' * WIDTH}", *map(as_text, sections(study))])


def short(study: Study) -> str:
    """Write the headline in at most twelve lines of 80 columns."""
    _, *lines = as_text(replace(sections(study)[0], notes=[])).splitlines()
    return "\n".join(line for line in lines if line)


_PLACE = re.compile(r"(<!-- generated: verdict[^\n]*-->\n).*?(<!-- end -->)", re.DOTALL)


def with_headline(path: str, study: Study) -> str:
    """Return a README's text with the short form between its markers; raise Exit where it has none."""
    readme = Path(path).read_text(encoding="utf-8")
    place = _PLACE.search(readme)
    if place is None:
        raise Exit(f"{path}: expected a line `<!-- generated: verdict -->` and one `<!-- end -->`, found none", DATA)
    return f"{readme[: place.end(1)]}```\n{short(study)}\n```\n{readme[place.start(2) :]}"


def facts(study: Study) -> dict[str, Any]:
    """Return all facts of all questions as the one JSON object of `--json`; what is not finite is null."""
    return {name: as_json(value) for section in sections(study) for name, value in section.facts.items()}


def pages(study: Study, pictures: Mapping[str, str]) -> dict[str, str]:
    """Write the report as two Markdown pages between their fixed prose, by the names of their files.

    `pictures` has from a picture's name its path as seen from the pages; one that is not there is left out.
    """
    headline, *others = sections(study)
    words = {
        "answers": _answers(others, "details.md"),
        "on_details": "on [a page of their own](details.md)",
        "on_first": "on [the first page](README.md)",
        "folder": "this folder",
    }
    first = [f"# {TITLE}", as_markdown(headline, pictures), _filled("page.md", words)]
    second = [f"# {DETAILS}", _filled("details.md", words), *(as_markdown(section, pictures) for section in others)]
    return {"README.md": "\n\n".join(first) + "\n", "details.md": "\n\n".join(second) + "\n"}


def html(study: Study, folder: str, figures: Mapping[str, Figure]) -> str:
    """Write the report as one HTML page that asks no server for anything.

    Parameters
    ----------
    study : Study
    folder : str
        Where its records are.
    figures : mapping of str to matplotlib Figure
        By name; one that is not there is left out.

    Returns
    -------
    str
        The verdict first, then the fixed prose with every answer, then every question whole.
    """
    headline, *others = sections(study)
    words = {
        "answers": _answers(others, ""),
        "on_details": "below",
        "on_first": "above",
        "folder": f"`{folder}`",
    }
    parts = [
        as_html(headline, figures),
        from_markdown(_filled("page.md", words)),
        html_section(DETAILS, from_markdown(_filled("details.md", words))),
        *(as_html(section, figures) for section in others),
    ]
    return document(TITLE, parts)


def _answers(questions: Sequence[Section], page: str) -> str:
    """Every question as a link to where it stands whole, with its answer in a sentence."""
    return "\n".join(as_line(section, f"{page}#{anchor(section.title)}") for section in questions)


def _filled(name: str, words: Mapping[str, str]) -> str:
    """The fixed prose of a file with the constants it speaks of, and these words."""
    n_pairs = len(protocol.MAIN_SEEDS)
    constants = {
        "article": article,
        "protocol": protocol,
        "stats": stats,
        "n_pairs": n_pairs,
        "middles": (n_pairs // 2, n_pairs // 2 + 1),
        "ranks": interval_ranks(n_pairs),
    }
    return _prose(name).format(**constants, **words).rstrip()


def _fixed_notes() -> dict[str, list[str]]:
    """The paragraphs of notes.md, by the name of their question."""
    prose = _prose("notes.md").format(margin=100 * EXPLAINED_MARGIN, stats=stats)
    _, *blocks = re.split(r"^## (\w+)$", prose, flags=re.MULTILINE)
    return {
        name: [" ".join(paragraph.split("\n")) for paragraph in block.strip().split("\n\n")]
        for name, block in zip(blocks[::2], blocks[1::2], strict=True)
    }


def _prose(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
