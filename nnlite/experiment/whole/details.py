"""What the answers rest on and what else was looked at: other arms, the stop, other countings, settings, what was run.

Place in the data path: findings -> details -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. Nothing is computed but medians for display. The questions are in `answers`.
"""

from __future__ import annotations

from .findings import Findings
from .sections import Section

ESTIMANDS = {"E1": "first touch", "E2": "for good"}
"""When a target counts as reached: the first look at or above it, or the look from which the mean stays there."""


def what_was_run(findings: Findings) -> Section:
    """Say what the report rests on, and what it lacks."""
    done, lacking = findings.parts_done, findings.parts_missing
    n_parts = len(done) + len(lacking)
    answer = [f"{len(done)} of {n_parts} parts are finished, {findings.n_runs:,} runs in all."]
    if done:
        answer.append(f"Finished: {', '.join(done)}.")
    if lacking:
        answer.append(f"Not finished, so open above: {', '.join(lacking)}.")
    wrong = findings.n_disagreeing
    checked = "in every run" if not wrong else f"in all but {wrong} runs"
    if findings.n_runs:
        answer.append(f"Costs by formula and costs counted by the kernels agree {checked}.")
    if findings.machines:
        answer.append(f"Machine: {'; '.join(findings.machines)}.")
    if findings.versions:
        answer.append(f"Versions: {', '.join(f'{name} {version}' for name, version in findings.versions.items())}.")
    return Section("What was run", answer)
