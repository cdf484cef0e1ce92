"""The whole study as text for a terminal, the verdict first; as a few lines; and as one object for a program.

Place in the data path: findings -> answers, details -> report. It puts sections in order and computes nothing.
The same sections as a Markdown page are in `page`.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from . import details
from .findings import Findings
from .sections import WIDTH, Section, as_text

TITLE = "Does pretraining on the ten class averages of MNIST save 30% of the training?"


def sections(findings: Findings) -> list[Section]:
    """List every section in the order of the report: what decides first, then what it rests on."""
    return [
        details.what_was_run(findings),
    ]


def text(findings: Findings) -> str:
    """Write the whole report for a terminal.

    Parameters
    ----------
    findings : Findings
        Parts that were not run are named in the section that needs them.

    Returns
    -------
    str
        Lines of at most 80 columns, without a final newline.
    """
    return "\n\n".join([f"{TITLE}\n{'=' * WIDTH}", *(as_text(section) for section in sections(findings))])


def to_json(findings: Findings) -> dict[str, Any]:
    """Return the findings as the one JSON object of `--report FOLDER --json`.

    Returns
    -------
    dict
        Field by field; arrays are lists, and what is not finite is null.
    """
    plain = _plain(asdict(findings))
    assert isinstance(plain, dict)
    return plain


def _plain(value: object) -> object:
    """Turn what JSON does not know into what it does."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
