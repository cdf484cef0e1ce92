"""What the command can be asked to do, and which options go with each: one table.

An option that would change nothing is refused by its name; nobody gets the answer to another question than was asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config import ConfigError


@dataclass(frozen=True)
class Mode:
    """One thing that the command does."""

    name: str  # how a command line asks for it
    why: str  # that nothing else goes with it
    options: frozenset[str]  # that go with it, its own included


def _mode(name: str, why: str, options: str) -> Mode:
    return Mode(name, why, frozenset(f"--{option}" for option in f"{options} quiet".split()))


_DATA = "dataset data-dir no-verify"
_WORK = "out resume data-dir workers executor"

STUDY = _mode(
    "a run",
    "which trains",
    f"{_DATA} preset seeds first-seed arms pretrain-epochs pretrain-target target stop-on max-steps evaluate hidden "
    "activation initializer optimizer learning-rate batch-size out resume figures bill json quick workers executor",
)
LIST_ARMS = _mode("--list-arms", "which only lists them", "list-arms json")
ARTICLE = _mode("--article", "which recomputes the article's own numbers", "article json")
FULL = _mode("--full", "the registered study as it stands", f"full {_WORK} figures json")
PART = _mode("--part", "the registered study as it stands", f"part {_WORK}")
LIST_PARTS = _mode("--part list", "which only lists them", "part workers")
REPORT = _mode("--report FILE", "which reports runs as they were made", "report bill json")
REPORT_FIGURES = _mode("--report FILE --figures", REPORT.why, f"report bill json figures {_DATA}")
REPORT_WHOLE = _mode("--report FOLDER", "the registered study, always reported whole", "report figures json")

MODES = (STUDY, LIST_ARMS, ARTICLE, FULL, PART, LIST_PARTS, REPORT, REPORT_FIGURES, REPORT_WHOLE)

_ONE_OF = (("--pretrain-target", "--pretrain-epochs"), ("--bill", "--json"))
"""Options of which only one has a meaning."""


def mode_of(given: Mapping[str, Any]) -> Mode:
    """Return what a command line asks for.

    Parameters
    ----------
    given : mapping of str
        The options that were given, as `--option`, with their values.

    Raises
    ------
    ConfigError
        An option that does not go with it, or with another one.
    """
    mode = _asked(given)
    for option in given:
        if option not in mode.options:
            raise ConfigError(f"{option}: goes with no {mode.name}, {mode.why}")
    for option, other in _ONE_OF:
        if option in given and other in given:
            raise ConfigError(f"{option}: goes with no {other}; give one of them")
    if mode is STUDY and "--resume" in given and "--out" not in given:
        raise ConfigError("--resume: needs --out FILE, the file to go on with")
    return mode


def _asked(given: Mapping[str, Any]) -> Mode:
    for mode in (LIST_ARMS, ARTICLE, FULL):
        if mode.name in given:
            return mode
    if "--part" in given:
        return LIST_PARTS if given["--part"] == "list" else PART
    if "--report" not in given:
        return STUDY
    if os.path.isdir(given["--report"]):
        return REPORT_WHOLE
    return REPORT_FIGURES if "--figures" in given else REPORT
