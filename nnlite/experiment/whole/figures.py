"""Every picture of the whole study that its findings have numbers for, as PNG files in a folder.

Place in the data path: findings, and the records of two parts for curves and dots -> figures -> files. Nothing is
decided here. Each picture can be read alone: its title is the finding, its caption has n and what the intervals are.
Left out: the table of targets and everything else that is text (`report`).
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import drawing
from ..figures import accuracy_figure, phase1_figure
from ..records import RunRecord
from ..summary import BASELINE, TREATMENT, pairs
from .figures_cells import bill_figure, cost_figure, pairs_figure
from .figures_controls import controls_figure, rate_figure
from .figures_horizons import steps_saved_figure
from .figures_tuning import tuning_figure
from .findings import Findings
from .protocol import BOTH, CLAIM, SETTINGS
from .selecting import of_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_PHASE_1 = SETTINGS["200 epochs"]


def draw_all(
    folder: str | os.PathLike[str], findings: Findings, read: Callable[[str], Sequence[RunRecord]]
) -> list[Path]:
    """Draw what the findings have numbers for, each file replaced whole.

    Parameters
    ----------
    folder : str or path-like
        Made if missing.
    findings : Findings
    read : function of a part's name
        Returns its records, none if it was not run.

    Returns
    -------
    list of Path
        Of accuracy.png, cost.png, pairs.png, controls.png, steps-saved.png, rate.png, bill.png, phase1.png and
        tuning.png, those that were written, in this order.

    Raises
    ------
    OSError
        A file cannot be written.
    """
    with drawing.plain_style():
        return drawing.save_all(folder, dict(_figures(findings, read)))


def _figures(findings: Findings, read: Callable[[str], Sequence[RunRecord]]) -> Iterator[tuple[str, Figure | None]]:
    """File names and pictures; None where a picture turns out to have nothing to show."""
    runs = {arm: of_config(read("claim"), arm, CLAIM) for arm in BOTH} if findings.claim is not None else {}
    treated, scratch = pairs(runs, TREATMENT)
    arms = {BASELINE: scratch, TREATMENT: treated}
    if treated:
        yield "accuracy.png", accuracy_figure([*scratch, *treated])
        yield "cost.png", cost_figure(arms)
        yield "pairs.png", pairs_figure(arms)
    if findings.controls:
        yield "controls.png", controls_figure(findings.controls, findings.descriptive, findings.flags)
    if findings.targets:
        yield "steps-saved.png", steps_saved_figure(findings.targets, findings.prediction)
    reference = [control for control in findings.controls if control.arm == TREATMENT]
    if reference and findings.claim is not None:
        steps = statistics.median(findings.claim.first_hit_steps[BASELINE])
        yield "rate.png", rate_figure(reference[0], steps, findings.settings)
    if treated:
        yield "bill.png", bill_figure(arms)
    yield "phase1.png", phase1_figure(of_config(read("settings"), TREATMENT, _LONGEST_PHASE_1))
    if findings.tuned is not None:
        yield "tuning.png", tuning_figure(findings.tuned)
