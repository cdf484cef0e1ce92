"""Whether the verdict survives what could explain it away: cheap steps, one flag, tuning; each answer before its table.

Place in the data path: findings -> answers -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. The verdict itself is in `verdict_answers`, the rest in `details`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..summary import BASELINE, TREATMENT
from ..verdict import MAX_WIDTH
from ..wording import (
    EXPLAINED_POINTS,
    OUTCOMES,
    PEOPLE,
    cell,
    n_missed,
    number,
    operations,
    p_value,
    percent,
    saved,
    several,
    steps,
)
from .findings import Cell, Control, Findings, Tuned
from .protocol import FLAGS, SETTINGS
from .sections import Section, Table, missing
from .verdict_answers import verdict_line

BEFORE_PUT_BACK = ("adam-state", "first-layer", "output-layer")
"""Arms that put weights back after phase 1: the accuracy before that is not theirs."""

AFTER_REAL_STEPS = "averages-last"
"""The arm whose phase 1 comes after 100 real steps."""

SAVED = ("article's count, %", "every operation, %")
"""Heads of the two columns that say what is saved."""

_SETTINGS = {
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "batch_size": "images a step",
    "decay": "rate over the run",
    "pretrain_epochs": "epochs on the averages",
    "pretrain_rate_factor": "learning rate there, times",
}


def averages_or_steps(findings: Findings) -> Section:
    """Answer whether it is the averages or just cheap steps, by the eight controls."""
    title, controls = "Is it the averages, or just cheap steps?", findings.controls
    if not controls:
        return Section(title, ["Not answered.", *missing(findings, "claim", "controls")])
    tested = [c for c in controls if c.explanation is not None]
    rows = []
    for control in tested:
        assert control.explanation is not None
        e = control.explanation
        limits = "(none)" if e.low is None or e.high is None else f"({number(e.low)} to {number(e.high)})"
        row = [control.arm, f"{number(e.difference)} {limits}", p_value(control.explains_p), p_value(control.worse_p)]
        outcomes = control.outcome, control.outcome_as_article
        rows.append([*row, *(OUTCOMES.get(outcome, outcome or "-") for outcome in outcomes)])
    head = ["control", "difference, points", "p yes", "p no", "explains it?", "article"]
    tables = [
        saving_table(controls, "What each saves against scratch (95%), n pairs, to step 300; phase 1: accuracy then.")
    ]
    if rows:
        tables.append(
            Table(head, rows, "Its saving less the averages' own, by pair, every operation counted; 95% bounds:")
        )
    notes = [
        f"A control explains the saving if it saves at most {EXPLAINED_POINTS} points less than the averages "
        "(p yes) and does not if it saves less than that (p no): one-sided sign tests, p adjusted over the eight by "
        "Holm. Every operation is counted, since the controls differ in what their images cost to make; the last "
        "column has the same tests by the article's count, in which that is free. `nnlite --list-arms` says what each "
        "is.",
        "Below 0, it cost more than training from scratch. Phase 1 of adam-state is put back, so it has no accuracy. "
        "closed-form has a free number, the size of its output weights, which was chosen on pilot runs; those of the "
        "averages, their epochs and rate, are the article's and the preset's.",
        *missing(findings, "claim", "controls"),
    ]
    return Section(
        title,
        [findings.averages_or_steps or "Not answered."],
        tables,
        notes,
        {"controls": "savings of the controls, with intervals"},
    )


def saving_table(controls: Sequence[Control], caption: str) -> Table:
    """Lay out arms against scratch: by the article's count and by every operation, with n and misses."""
    head = ["", "n", "missed", "phase 1", *SAVED]
    rows = [
        [
            control.arm,
            str(control.n_pairs),
            str(n_missed(control.saved)),
            _after_phase_1(control),
            cell(control.saved.interval),
            cell(control.saved_every_operation.interval),
        ]
        for control in controls
    ]
    return Table(head, rows, caption)


def _after_phase_1(control: Control) -> str:
    if control.after_pretrain is None or control.arm in BEFORE_PUT_BACK:
        return "-"
    return percent(control.after_pretrain, 0) + ("*" if control.arm == AFTER_REAL_STEPS else "")


def one_flag(findings: Findings) -> Section:
    """Answer what one flag saves without any pretraining."""
    title, flags = "What does one flag save, without pretraining?", findings.flags
    if not flags:
        return Section(title, ["Not answered.", *missing(findings, "claim", "flags")])
    sentence = "; ".join(f"{flag.name} alone {saved(flag.saved.interval, flag.n_pairs)}" for flag in flags)
    answer = [f"{sentence[0].upper()}{sentence[1:]}, from scratch and by the article's count."]
    claim = findings.claim
    if claim is not None:
        beaten = [flag.name for flag in flags if flag.saved.interval.median > claim.saved.median]
        than = f"The averages {saved(claim.saved, claim.n_pairs)}"
        answer.append(f"{than}, less than {several(beaten)}." if beaten else f"{than}, more than any of these.")
    rows = [
        [
            flag.name,
            str(flag.n_pairs),
            str(n_missed(flag.saved)),
            steps(flag.scratch_steps),
            cell(flag.saved.interval),
            cell(flag.saved_every_operation.interval),
        ]
        for flag in flags
    ]
    head = ["one thing changed", "n", "missed", "steps", *SAVED]
    notes = [
        " ".join(["A saving smaller than these is no reason to pretrain.", *_with_the_flag(findings)]),
        *missing(findings, "flags"),
    ]
    return Section(
        title,
        answer,
        [Table(head, rows, "From scratch with and without it, n pairs (95%); steps: median with it.")],
        notes,
    )


def _with_the_flag(findings: Findings) -> list[str]:
    """What the averages save where both arms have the flag; whether one replaces the other is the reader's to see."""
    flag_of = {name: flag for flag, changed in FLAGS.items() for name, config in SETTINGS.items() if config == changed}
    both = [
        f"with {flag_of[setting.name]} in both arms the averages {saved(setting.saved.interval, setting.n_pairs)}"
        for setting in findings.settings
        if setting.name in flag_of
    ]
    if not both:
        return []
    return [f"The flag and the averages together, by the article's count and only described: {'; '.join(both)}."]


def tuned(findings: Findings) -> Section:
    """Answer what is left when both arms are tuned alike."""
    title, found = "Is it still there when both are tuned?", findings.tuned
    lacking = missing(findings, "tuning", "finals", "tuned")
    if found is None:
        return Section(title, ["Not answered.", *lacking])
    contest = found.cell
    answer = [
        f"Tuned against tuned: {verdict_line(contest)} Untuned, the honest cell: "
        f"the averages {saved(found.untuned, findings.honest.n_pairs if findings.honest else contest.n_pairs)}."
    ]
    answer += _on_the_width(contest)
    arms = [arm for arm in (BASELINE, TREATMENT) if arm in found.winners]
    head = ["best settings found", *(PEOPLE[arm] for arm in arms)]
    rows = [[label, *(_setting(found.winners[arm], key, arm) for arm in arms)] for key, label in _SETTINGS.items()]
    rows.append(["operations of the search", *(operations(found.search_cost.get(arm, 0)) for arm in arms)])
    notes = [
        "Both arms had the same draws of settings and the same budget. A draw's score is the mean cost of three runs, "
        "every operation counted, at the step from which their mean accuracy stays at the target.",
        "The best score of a search flatters, being the smallest of many that three runs each have made: the pairs on "
        "seeds of their own decide. A dash: all k draws may fail, so their best has no mean; "
        f"{several([_never(found, arm) for arm in arms])} never get there.",
        *lacking,
    ]
    return Section(
        title,
        answer,
        [Table(head, rows), _search_table(found, arms)],
        notes,
        {"tuning": "best cost found against number of draws"},
    )


def _on_the_width(contest: Cell) -> list[str]:
    """Say what an interval that is only too wide still says."""
    low, high = contest.saved.low, contest.saved.high
    if contest.verdict.word != "not established" or low is None or high is None:
        return []
    if low <= 0 <= high or high - low <= MAX_WIDTH:
        return []
    side = "below" if high < 0 else "above"
    return [
        f"All of the interval lies {side} nothing saved; the rule withholds its word because of the width. The number "
        "of pairs was planned from the spread of single runs, as registered, not from that of the ratio judged here."
    ]


def _never(found: Tuned, arm: str) -> str:
    scores = found.scores.get(arm, [])
    return f"{sum(map(math.isinf, scores))} of {len(scores)} {PEOPLE[arm]}"


def _search_table(found: Tuned, arms: Sequence[str]) -> Table:
    n_draws = max((len(found.expected_best[arm]) for arm in arms if arm in found.expected_best), default=0)
    counts = [k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k <= n_draws]
    curves = [found.expected_best.get(arm, []) for arm in arms]
    rows = [[str(k), *(_expected(curve, k) for curve in curves)] for k in counts]
    return Table(["draws", *(PEOPLE[arm] for arm in arms)], rows, "Operations to the target, expected best of k draws:")


def _expected(curve: Sequence[float], k: int) -> str:
    return operations(curve[k - 1]) if k <= len(curve) and math.isfinite(curve[k - 1]) else "-"


def _setting(winner: dict[str, object], key: str, arm: str) -> str:
    if key.startswith("pretrain") and arm == BASELINE:
        return "-"
    value = winner.get(key, "-")
    if (key, value) == ("decay", "linear"):
        return "falls to 0"
    return f"{value:g}" if isinstance(value, float) else str(value)
