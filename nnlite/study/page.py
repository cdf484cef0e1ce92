"""The questions in their order, and what they make together: a text, an object for a program, two pages, a short form.

The first page has the headline and of every other question the answer; the second has every question whole. Fixed prose
is in page.md, details.md and notes.md; its {fields} are constants. Nothing is computed here. A new question is one line
in QUESTIONS, and what is always to be said below its tables a block in notes.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..experiment import article, stats
from ..experiment.exits import DATA, Exit
from ..experiment.stats import interval_ranks
from . import cause, cells, controls, counting, protocol, regime, runs, settled, targets, tuning, verdict
from .comparisons import EXPLAINED_MARGIN
from .document import WIDTH, Section, anchor, as_json, as_line, as_markdown, as_text
from .runs import Study, once

TITLE = "Does pretraining on the ten class averages of MNIST save 30% of the training?"

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
    n_pairs = len(protocol.MAIN_SEEDS)
    fields = {
        "title": TITLE,
        "headline": as_markdown(headline, pictures),
        "answers": "\n".join(as_line(section, f"details.md#{anchor(section)}") for section in others),
        "questions": "\n\n".join(as_markdown(section, pictures) for section in others),
        "article": article,
        "protocol": protocol,
        "stats": stats,
        "n_pairs": n_pairs,
        "middles": (n_pairs // 2, n_pairs // 2 + 1),
        "ranks": interval_ranks(n_pairs),
    }
    return {"README.md": _prose("page.md").format(**fields), "details.md": _prose("details.md").format(**fields)}


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
