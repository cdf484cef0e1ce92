"""What the answers rest on and what else was looked at: other arms, the stop, other countings, settings, what was run.

Place in the data path: findings -> details -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. Nothing is computed but medians for display. The questions are in `answers`.
"""

from __future__ import annotations

import statistics

from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH
from ..wording import PEOPLE, number, percent, saved, steps
from .findings import Findings, Optimism
from .sections import Section, Table, missing

N_CALIBRATED = 5
"""Settings of the scan that are shown, the nearest first."""

ESTIMANDS = {"E1": "first touch", "E2": "for good"}
"""When a target counts as reached: the first look at or above it, or the look from which the mean stays there."""


def stopping(findings: Findings) -> Section:
    """Answer what stopping on the test set does."""
    title, rows, found = "What does stopping on the test set do?", findings.optimism, findings.stops
    lacking = missing(findings, "claim", "honest")
    if not rows and found is None:
        return Section(title, ["Not answered.", *lacking])
    answer: list[str] = []
    notes: list[str] = []
    if rows:
        answer += map(_flattery, rows)
        notes.append(
            "Measured by halves: a run stops on one random half of the test images, and the other half is read at the "
            "same step; then the other way round. Points: that half less the other, mean of both turns, median over "
            "runs. Both turns, as decided after the claim cell: one alone hides it behind the halves' own difference."
        )
    if found is not None:
        n = findings.honest.n_pairs if findings.honest else len(next(iter(found.test_accuracy_at_stop.values()), []))
        answer.append(
            f"The honest cell's runs, stopped on test instead: {saved(found.saved_by_test, n)}; "
            f"on held-out images: {saved(found.saved_by_validation, n)}."
        )
        read = [
            f"{percent(statistics.median(accuracy), 2)} {PEOPLE.get(arm, arm)} (median of {len(accuracy)})"
            for arm, accuracy in found.test_accuracy_at_stop.items()
            if accuracy
        ]
        if read:
            answer.append(f"Where they stop on held-out images, so much of test is right: {'; '.join(read)}.")
    return Section(title, answer, [], [*notes, *lacking])


def _flattery(row: Optimism) -> str:
    """Say what stopping on the images that are reported does to an arm, as its interval allows."""
    arm, low, high = PEOPLE.get(row.arm, row.arm), row.difference.low, row.difference.high
    apart = f"{number(abs(row.difference.median), 2)} points"
    known = f"95% interval {number(low, 2)} to {number(high, 2)}; " if low is not None and high is not None else ""
    source = f"({known}{row.n_runs} runs)"
    if low is not None and low > 0:
        return f"It flatters {arm} by {apart} {source}."
    if high is not None and high < 0:
        return f"It is no flattery of {arm}, which does {apart} worse where it stops {source}."
    return f"It is not shown to flatter {arm}: {number(row.difference.median, 2)} points {source}."


def calibration(findings: Findings) -> Section:
    """Show which settings come nearest to the article's own numbers."""
    title, rows = "Which settings give the article's own numbers?", findings.calibration
    lacking = missing(findings, "calibration")
    if not rows:
        return Section(title, ["Not answered.", *lacking])
    wanted = f"{SCRATCH.real_steps} steps, {float(ACCURACY_AFTER_PRETRAIN_PRINTED):.0%}, {PRETRAINED.real_steps} steps"
    answer = (
        f"The nearest of {len(rows)}, {rows[0].setting}, is at most {percent(rows[0].distance, 0)} off from the "
        f"article's {wanted}. Exploratory: no setting was chosen by it."
    )
    lines = [
        [
            row.setting,
            steps(row.scratch_steps),
            percent(row.after_pretrain),
            steps(row.then_steps),
            percent(row.distance, 0),
        ]
        for row in rows[:N_CALIBRATED]
    ]
    head = ["setting", "scratch", "phase 1", "then", "at most off"]
    caption = "Medians of three pairs: steps from scratch, accuracy after phase 1, steps after that."
    return Section(title, [answer], [Table(head, lines, caption)], lacking)


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
