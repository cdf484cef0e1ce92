"""What becomes of the saving at other targets, after equal steps and on other images: each answer before its table.

Place in the data path: findings -> horizon_answers -> report, page; beside `answers`, which has the verdict.
Every function turns findings into one `Section`; a part that was not run is named there.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...study.cells import verdict_line
from ...study.controls import SAVED
from ..bands import PREDICTION_MARGIN, Band
from ..comparisons import EQUIVALENCE_MARGIN
from ..summary import BASELINE, TREATMENT
from ..wording import cell, number, p_value, pairs, percent, saved, several, steps, steps_cell
from .findings import EqualSteps, Findings, Prediction, TargetRow
from .sections import Section, Table, missing

LEVEL = 0.05
"""Of the tests of equal accuracy."""


def targets(findings: Findings) -> Section:
    """Answer how the saving depends on the target, and whether the prediction held."""
    title = "How does it depend on the target?"
    lacking = missing(findings, "epochs-5", "wide")
    if not findings.targets and not findings.wide:
        return Section(title, ["Not answered.", *lacking])
    answer, tables = [], []
    told = [
        f"to {_target(row.target)} the averages {saved(row.saved, row.n_pairs)}"
        for row in findings.targets
        if row.saved is not None
    ]
    if told:
        ends = "; ".join(dict.fromkeys([told[0], told[-1]]))
        answer.append(f"By the article's count, {ends}.")
    found = findings.prediction
    answer.append(_prediction_sentence(found) if found else "The prediction was not tested.")
    if findings.targets:
        tables.append(target_table(findings.targets, f"The network of the claim, within {findings.targets_within}"))
    if found is not None and found.band is not None:
        tables.append(_prediction_table(found))
    if findings.wide:
        tables.append(target_table(findings.wide, "512 hidden units, within 20 epochs"))
    notes = ["Where under 95% of pairs reach a target there is no ratio, only the share of runs that reached it."]
    return Section(title, answer, tables, [*notes, *lacking], {"steps-saved": "steps saved against the target"})


def target_table(rows: Sequence[TargetRow], caption: str) -> Table:
    """Lay out targets: steps from scratch, steps saved, and the saving by both countings."""
    head = ["target", "scratch", "missed", "steps saved (95%)", *SAVED]
    lines = []
    for row in rows:
        lost = sum(round((1 - share) * row.n_pairs) for share in row.reached.values())
        line = [_target(row.target), steps(row.scratch_steps), str(lost)]
        if row.steps_saved is None:
            shares = [percent(row.reached[arm], 0) for arm in (BASELINE, TREATMENT) if arm in row.reached]
            lines.append([*line, f"{', '.join(shares)} reach", "-", "-"])
        else:
            lines.append([*line, steps_cell(row.steps_saved), cell(row.saved), cell(row.saved_every_operation)])
    counts = sorted({row.n_pairs for row in rows})
    return Table(
        head, lines, f"{caption}; {' or '.join(map(str, counts))} pairs; scratch: its mean steps; saved: medians."
    )


def equal_steps(findings: Findings) -> Section:
    """Answer whether both arms are equally good after the same number of real steps."""
    title, rows, margin = "Are both equally good later?", findings.equal_steps, number(EQUIVALENCE_MARGIN, 2)
    lacking = missing(findings, "epochs-5", "epochs-20")
    if not rows:
        return Section(title, ["Not answered.", *lacking])
    told = []
    for row in rows:
        apart = number(abs(row.difference.median), 2)
        ahead = "averages first" if row.difference.median > 0 else "from scratch"
        found = f"{ahead} is {apart} points better in the median pair" if float(apart) else "neither is better"
        name = row.name if row.name.endswith("steps") else f"{row.name} ({row.steps:,} steps)"
        told.append(f"after {name} {found} ({_ends(row)}{pairs(row.n_pairs)}): {_same(row)}")
    answer = (
        f"Called the same if it is shown that mean accuracies are less than {margin} points apart: {'; '.join(told)}."
    )
    head = ["after step", "pairs", "from scratch", "averages first", "points apart (95%)", "p"]
    lines = [
        [
            f"{row.steps:,}",
            str(row.n_pairs),
            percent(row.scratch, 2),
            percent(row.class_means, 2),
            cell(row.difference, 2),
            p_value(row.test.p_value),
        ]
        for row in rows
    ]
    notes = [
        "Accuracy on test: the mean of each arm, and the median over pairs of how far averages first is ahead. p: two "
        "one-sided paired t tests; under 0.05 they are shown to be the same. Where that is not shown and the interval "
        "excludes 0, they differ.",
        *lacking,
    ]
    return Section(title, [answer], [Table(head, lines)], notes)


def _same(row: EqualSteps) -> str:
    """Shown to be the same comes first: a difference may be sure and yet too small to matter."""
    if row.test.p_value < LEVEL:
        return "shown to be the same"
    low, high = row.difference.low, row.difference.high
    differs = low is not None and high is not None and (low > 0 or high < 0)
    return "they differ" if differs else "not shown to be the same"


def _ends(row: EqualSteps) -> str:
    low, high = row.difference.low, row.difference.high
    if low is None or high is None:
        return ""
    ahead = (low, high) if row.difference.median >= 0 else (-high, -low)
    return f"95% interval {' to '.join(number(end, 2) for end in ahead)}; "


def fashion(findings: Findings) -> Section:
    """Answer whether it is the same with pictures of clothes."""
    title, found = "Is it the same with clothes instead of digits (Fashion-MNIST)?", findings.fashion
    if found is None:
        return Section(title, ["Not answered.", *missing(findings, "fashion")])
    answer = [f"To {_target(found.target)} of the test images: {verdict_line(vars(found))}"]
    tables = []
    if findings.fashion_targets:
        caption = "Targets that match those of MNIST on scratch's own mean curve"
        tables.append(target_table(findings.fashion_targets, caption))
    return Section(title, answer, tables, missing(findings, "fashion"))


def _prediction_sentence(found: Prediction) -> str:
    word = {"held": "It held", "failed": "It failed", "open": "It stays open"}.get(found.outcome, found.outcome)
    margin = f"{PREDICTION_MARGIN:.0f}"
    left_out = ""
    if found.met_by_phase_1:
        met = several([_target(target) for target in found.met_by_phase_1])
        left_out = f" Left out, as decided after the claim cell: {met}, which some pretrained run met as phase 1 ended"
        left_out += f" (with them: {found.outcome_with_them})." if found.outcome_with_them else "."
    if found.outcome == "failed" and found.band is not None:
        word += _where_it_failed(found.targets, found.band)
    return (
        f"Predicted: averages give a head start, here {found.head_start:.0f} steps, and nothing else: the steps saved "
        f"are that many at every target, give or take {margin}. {word}.{left_out}"
    )


def _where_it_failed(targets: Sequence[float], band: Band) -> str:
    """: at 91% and 92% more is saved."""
    sides = {"more is saved": band.low > PREDICTION_MARGIN, "less is saved": band.high < -PREDICTION_MARGIN}
    at = {side: [_target(t) for t, out in zip(targets, outside, strict=True) if out] for side, outside in sides.items()}
    return ": " + "; ".join(f"at {several(missed)} {side}" for side, missed in at.items() if missed)


def _prediction_table(found: Prediction) -> Table:
    assert found.band is not None
    band = found.band
    rows = [
        [_target(target), f"{mean:.1f}", f"{middle:.1f}", f"{low:.1f} to {high:.1f}"]
        for target, mean, middle, low, high in zip(
            found.targets, found.steps_saved, band.mean, band.low, band.high, strict=True
        )
    ]
    head = ["target", "mean steps saved", "less the head start", "95% band"]
    margin = f"{PREDICTION_MARGIN:.0f}"
    caption = (
        f"It holds if the band, one for all targets together, lies within {margin} steps of 0 at each; it fails if the "
        "band lies wholly outside at one:"
    )
    return Table(head, rows, caption)


def _target(share: float) -> str:
    """88% and 78.2%."""
    return percent(share).replace(".0%", "%")
