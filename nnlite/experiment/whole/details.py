"""What the answers rest on and what else was looked at: other arms, the stop, other countings, settings, what was run.

Place in the data path: findings -> details -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. Nothing is computed but medians for display. The questions are in `answers`.
"""

from __future__ import annotations

import statistics

from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH
from ..wording import PEOPLE, cell, n_missed, pairs, percent, saved, several, steps
from .answers import CELLS, saving_table
from .findings import Cell, Findings, SensitivityRow
from .sections import Section, Table, missing

_FIGURES = {
    "rate": "the saving against the learning rate",
    "phase1": "phase 1 alone: accuracy on the averages and on test, by epoch",
}

N_CALIBRATED = 5
"""Settings of the scan that are shown, the nearest first."""

PRICES = {
    "article-2023": "as the article does",
    "flop": "operations",
    "mac": "multiply-adds",
    "torch": "as PyTorch does",
    "3x-forward": "3 x forward",
}
"""Cost models and measures, for people."""

SETTING_NAMES = {"softmax regression": "no hidden layer"}
"""What a setting is called for people, where its name takes knowing."""

ESTIMANDS = {"E1": "first touch", "E2": "for good"}
"""When a target counts as reached: the first look at or above it, or the look from which the mean stays there."""


def others(findings: Findings) -> Section:
    """Describe the other arms, and one thing changed in both arms."""
    lacking = missing(findings, "descriptive", "settings")
    if not findings.descriptive and not findings.settings:
        return Section("Other arms and settings", ["Not described.", *lacking])
    tables = []
    if findings.descriptive:
        tables.append(saving_table(findings.descriptive, "Other arms against scratch, watched to step 300:"))
    if findings.settings:
        rows = [
            [
                SETTING_NAMES.get(setting.name, setting.name),
                str(setting.n_pairs),
                str(n_missed(setting.saved)),
                steps(setting.scratch_steps),
                cell(setting.saved.interval),
                cell(setting.saved_every_operation.interval),
            ]
            for setting in findings.settings
        ]
        head = ["", "n", "missed", "steps", "saved, % (95%)", "every operation, %"]
        tables.append(Table(head, rows, "One thing changed in both arms; n pairs; steps: scratch's median."))
    answer = "Descriptive: few pairs and no tests, so no line here supports or refutes anything."
    return Section("Other arms and settings", [answer], tables, lacking, _FIGURES)


def stopping(findings: Findings) -> Section:
    """Answer what stopping on the test set does."""
    title, rows, found = "What does stopping on the test set do?", findings.optimism, findings.stops
    lacking = missing(findings, "claim", "honest")
    if not rows and found is None:
        return Section(title, ["Not answered.", *lacking])
    answer, tables = [], []
    if rows:
        flattered = [PEOPLE.get(row.arm, row.arm) for row in rows if row.difference.low and row.difference.low > 0]
        said = f"flatters {several(flattered)}" if flattered else "does not flatter visibly"
        each = [f"{PEOPLE.get(row.arm, row.arm)} {cell(row.difference, 2)}" for row in rows]
        answer.append(
            f"It {said}: a run that stops on half of the test images is, on that half, so many points better than on "
            f"the other, median and 95% interval: {'; '.join(each)}; {max(row.n_runs for row in rows)} runs."
        )
        head = ["stopped on one half", "runs", "that half", "other half", "points apart"]
        lines = [
            [
                PEOPLE.get(row.arm, row.arm),
                str(row.n_runs),
                percent(row.at_stop, 2),
                percent(row.elsewhere, 2),
                cell(row.difference, 2),
            ]
            for row in rows
        ]
        tables.append(Table(head, lines))
    if found is not None:
        n = findings.honest.n_pairs if findings.honest else len(next(iter(found.test_accuracy_at_stop.values()), []))
        answer.append(
            f"The honest cell's runs, stopped on test instead: {saved(found.saved_by_test, n)}; "
            f"on held-out images: {saved(found.saved_by_validation, n)}."
        )
        for arm, accuracy in found.test_accuracy_at_stop.items():
            if accuracy:
                middle = percent(statistics.median(accuracy), 2)
                answer.append(
                    f"Stopped there, {PEOPLE.get(arm, arm)}: {middle} right on test (median of {len(accuracy)})."
                )
    return Section(title, answer, tables, lacking)


def sensitivity(findings: Findings) -> Section:
    """Answer whether the word depends on how it is asked: one table for each word that some row gets."""
    cells: list[tuple[str, Cell]] = [
        (CELLS[name], found) for name in ("claim", "honest") if (found := getattr(findings, name)) is not None
    ]
    answer, tables = [], []
    for title, found in cells:
        words = list(dict.fromkeys([found.verdict.word, *(row.word for row in found.sensitivity)]))
        groups = {word: [row for row in found.sensitivity if row.word == word] for word in words}
        same, n = len(groups[found.verdict.word]), len(found.sensitivity)
        title = title.split(" (")[0]
        others = [
            f'; "{word}" by {several(list(dict.fromkeys(map(_counted, rows))))}'
            for word, rows in groups.items()
            if word != found.verdict.word
        ]
        answer.append(f"{title}: {same} of {n} ways to ask give the same word, {found.verdict.word}{''.join(others)}.")
        for word, rows in groups.items():
            if rows:
                caption = f"{title}, {word}; {pairs(rows[0].n_pairs)}:"
                tables.append(_sensitivity_table(rows, found, caption))
    lacking = missing(findings, "claim", "honest")
    if not cells:
        return Section("Does the word depend on how it is asked?", ["Not answered.", *lacking])
    notes = [
        "First touch: the first look at or above the target. For good: the first look from which the mean over seeds "
        "stays there. Counted is all from scaling and averaging to the target, or training alone where it says so. "
        "That ran: zeros skipped. Looks: what finding out the accuracy costs. Distinct images: labels needed.",
        *lacking,
    ]
    return Section("Does the word depend on how it is asked?", answer, tables, notes)


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
    head = ["setting", "scratch steps", "after phase 1", "then steps", "at most off"]
    return Section(title, [answer], [Table(head, lines, "Medians of three pairs:")], lacking)


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


def _sensitivity_table(rows: list[SensitivityRow], found: Cell, caption: str) -> Table:
    lines = []
    for row in rows:
        when = ESTIMANDS.get(row.estimand[:2], row.estimand[:2])
        when += row.estimand[2:].replace(" with ", ", ").replace("a look every 50 steps", "1 look in 50")
        when += "" if row.target == found.target else f", {percent(row.target)}"
        lines.append([_counted(row), when, str(row.missed), cell(row.saved)])
    return Table(["what is counted", "until", "missed", "saved, % (95%)"], lines, caption)


def _counted(row: SensitivityRow) -> str:
    """Name what a row adds up; the whole bill goes without saying."""
    counted = PRICES.get(row.model, row.model) + (" that ran" if row.counting == "executed" else "")
    if row.scope == "bill and evaluation":
        return f"{counted} and looks"
    only = row.scope == "training" and row.counting != "passes" and row.model != "article-2023"
    return f"{counted}, training" if only else counted
