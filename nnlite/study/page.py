"""The questions in their order, and the report that they make: as text, as one object for a program, as a page.

The page's fixed prose is page.md; its {fields} are constants of the protocol, the article and the verdict's rule.
Nothing is computed here. A new question is one line in QUESTIONS.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..experiment import article
from ..experiment import stats as rule
from ..experiment.stats import interval_ranks
from ..experiment.wording import brief, several
from . import cells, controls, evidence, protocol, targets, tuning, verdict
from .document import WIDTH, Section, as_json, as_markdown, as_text, wrapped
from .runs import Study, once

TITLE = "Does pretraining on the ten class averages of MNIST save 30% of the training?"

QUESTIONS = (
    verdict.verdict,
    controls.averages_or_steps,
    controls.one_flag,
    tuning.tuned,
    targets.targets,
    targets.equal_steps,
    targets.fashion,
    controls.others,
    targets.stopping_on_test,
    cells.sensitivity,
    tuning.calibration,
    evidence.what_was_run,
)
"""What decides first, then what it rests on."""


@once
def sections(study: Study) -> list[Section]:
    """Ask every question."""
    return [question(study) for question in QUESTIONS]


def text(study: Study) -> str:
    """Write the whole report for a terminal, in lines of at most 80 columns."""
    return "\n\n".join([f"{TITLE}\n{'=' * WIDTH}", *(as_text(section) for section in sections(study))])


def short(study: Study) -> str:
    """Write the findings in at most twelve lines of 80 columns: verdicts, averages or steps, one flag, tuned."""
    titles = {
        "claim": "Claim cell",
        "claim_64": "The same, 784-64-10",
        "honest": "Honest cell",
        "tuned": "Tuned against tuned",
    }
    lines = []
    for key, title in titles.items():
        found = cells.cell(study, key)
        word = f"{found['verdict'].word.upper()}, saved {brief(found['saved'], found['n_pairs'])}" if found else "open"
        lines.append(f"{title}: {word}.")
    asked, explained_by = controls.conclusion(controls.controls(study)), controls.explained_by(controls.controls(study))
    said = f"{asked.partition(':')[0]}; explained by {several(explained_by)}."  # the rest is numbers
    flags = [f"{row['name']} saved {brief(row['saved'].interval, row['n_pairs'])}" for row in controls.flags(study)]
    lines[3:3] = [
        said if asked else "Averages or cheap steps: open.",
        f"One flag instead: {'; '.join(flags) or 'open'}.",
    ]
    lines.append("Honest: every operation, held-out images. In brackets 95% intervals over seeds.")
    return "\n".join(wrapped(line) for line in lines)


def facts(study: Study) -> dict[str, Any]:
    """Return all facts of all questions as the one JSON object of `--json`; what is not finite is null."""
    return {name: as_json(value) for section in sections(study) for name, value in section.facts.items()}


def page(study: Study, pictures: Mapping[str, str]) -> str:
    """Write the report as Markdown between its fixed prose.

    `pictures` has from a picture's name its path as seen from the page; one that is not there is left out.
    """
    answer, *others = (as_markdown(section, pictures) for section in sections(study))
    n_pairs = len(protocol.MAIN_SEEDS)
    prose = Path(__file__).with_name("page.md").read_text(encoding="utf-8")
    return prose.format(
        title=TITLE,
        verdict=answer,
        questions="\n\n".join(others),
        article=article,
        protocol=protocol,
        rule=rule,
        n_pairs=n_pairs,
        middles=(n_pairs // 2, n_pairs // 2 + 1),
        ranks=interval_ranks(n_pairs),
    )
